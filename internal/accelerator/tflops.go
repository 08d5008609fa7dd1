package accelerator

// bf16TFLOPS is the peak of one accelerator in 10^12 operations a second on dense bf16 matrices, by model.
//
// Sources: pytorch/torchtitan, torchtitan/tools/utils.py at 02581674, for A100, H100, H200, B200 and L40S, and Lightning,
// lightning/fabric/utilities/throughput.py, for A100, H100 and L4. Both cite NVIDIA's data sheets, which give twice as much
// for sparse matrices. Neuron's documentation for Trainium:
// https://awsdocs-neuron.readthedocs-hosted.com/en/latest/general/arch/neuron-hardware/trainium.html and
// https://awsdocs-neuron.readthedocs-hosted.com/en/v2.29.0/_sources/about-neuron/arch/neuron-hardware/trainium2.rst, all read
// 2026-11-26.
//
// Left out: T4, which does not compute in bf16; A10G, of which the sources disagree (70 and 125); B300 and the RTX PRO
// models, of which no source was to be had.
var bf16TFLOPS = map[string]int{
	"NVIDIA L4":        121,
	"NVIDIA L40S":      362,
	"NVIDIA A100 40GB": 312,
	"NVIDIA A100 80GB": 312,
	"NVIDIA H100":      989,
	"NVIDIA H200":      989,
	"NVIDIA B200":      2250,
	"AWS Trainium":     190,
	"AWS Trainium2":    667,
}

// BF16TFLOPS returns the peak of one accelerator, in 10^12 operations a second on dense bf16 matrices, or 0 if it is
// unknown.
func (t Type) BF16TFLOPS() int { return bf16TFLOPS[t.Accelerator] }
