package hostconfig

import (
	"reflect"
	"strings"
	"testing"
)

// TestPathsKeepTheirRoot calls every method of Paths.
func TestPathsKeepTheirRoot(t *testing.T) {
	const root = "/srv/machine"
	standard, prefixed := reflect.ValueOf(Paths{}), reflect.ValueOf(Paths{Root: root})
	seen := map[string]string{}
	for i := range standard.NumMethod() {
		method := standard.Type().Method(i)
		var arguments []reflect.Value
		if method.Type.NumIn() > 1 {
			arguments = append(arguments, reflect.ValueOf("scheduler"))
		}
		plain, below := standard.Method(i).Call(arguments)[0].String(), prefixed.Method(i).Call(arguments)[0].String()
		if below != root+plain || !strings.HasPrefix(plain, "/") {
			t.Errorf("%s: %s and %s", method.Name, plain, below)
		}
		if seen[plain] != "" {
			t.Errorf("%s and %s are both %s", method.Name, seen[plain], plain)
		}
		seen[plain] = method.Name
	}
}
