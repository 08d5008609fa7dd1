package settings

import (
	"reflect"
	"slices"
	"strings"
)

// Paths returns what a stack's file may set, sorted, with * for a name that the user chooses, for example storage.logDays
// and cluster.pools.*.nodes. A list is one setting.
func Paths() []string {
	return slices.Sorted(slices.Values(pathsOf("", reflect.TypeFor[raw]())))
}

func pathsOf(at string, t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Map:
		return pathsOf(at+".*", t.Elem())
	case reflect.Struct:
		var all []string
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			all = append(all, pathsOf(strings.TrimPrefix(at+"."+name, "."), t.Field(i).Type)...)
		}
		return all
	}
	return []string{at}
}
