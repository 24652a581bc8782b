package selfmanaged

import (
	"fmt"
	"os"

	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// ReadProgram gives the program that hosts run, as a specification names it, from
// where `make node-program` leaves it.
func ReadProgram(file string) (selfmanaged.Program, error) {
	contents, err := os.ReadFile(file)
	if err != nil {
		return selfmanaged.Program{}, fmt.Errorf("the program of the hosts cannot be read: %w; build it with make node-program", err)
	}
	return selfmanaged.Program{Hash: selfmanaged.Hash(contents)}, nil
}
