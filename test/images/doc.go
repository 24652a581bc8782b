// Package images tests that images made and served by redoubt-agent can be pulled,
// by clients that others wrote. Its folders hold the programs of the test images.
package images
