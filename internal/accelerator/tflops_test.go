package accelerator

import "testing"

// Every figure is of an accelerator of the table: a model that is spelled in another way would silently have none.
func TestBF16TFLOPSAreOfTheTable(t *testing.T) {
	models := map[string]bool{}
	every(t, func(t *testing.T, it Type) { models[it.Accelerator] = true })
	for model, tflops := range bf16TFLOPS {
		if !models[model] {
			t.Errorf("the table has no %q", model)
		}
		if tflops < 50 || tflops > 5000 {
			t.Errorf("%s: %d TFLOPS", model, tflops)
		}
	}
	if it, err := Lookup("p5.48xlarge"); err != nil || it.BF16TFLOPS() != 989 {
		t.Errorf("p5.48xlarge has %d TFLOPS: %v", it.BF16TFLOPS(), err)
	}
	if it, err := Lookup("g4dn.xlarge"); err != nil || it.BF16TFLOPS() != 0 {
		t.Errorf("a T4, which has no bf16, has %d TFLOPS: %v", it.BF16TFLOPS(), err)
	}
}
