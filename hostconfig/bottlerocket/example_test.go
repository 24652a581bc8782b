package bottlerocket_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
)

func ExampleSpec_Render() {
	nodes := bottlerocket.Spec{
		Platform: bottlerocket.ManagedGroup,
		Sysctls:  map[string]string{"vm.max_map_count": "262144"},
	}
	if err := nodes.Validate(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		fmt.Println(err)
		return
	}
	data, err := nodes.Render()
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(data.TOML)) {
		if strings.Contains(line, "lockdown") || strings.Contains(line, "max_map_count") {
			fmt.Print(line)
		}
	}
	// Output:
	// lockdown = 'integrity'
	// 'vm.max_map_count' = '262144'
}
