package costs

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Line is so many of a thing that is paid for as long as it exists.
type Line struct {
	Thing string
	Count int
	// Price is the list price of one, in USD per Unit (Hour or Month); Known tells whether there is one.
	Price float64
	Unit  string
	Known bool
	// Source is the page that lists the price.
	Source string
}

// Monthly is what the line costs in a month of 730 hours, in USD; 0 when the price is not known.
func (l Line) Monthly() float64 {
	if l.Unit == Hour {
		return float64(l.Count) * l.Price * hours
	}
	return float64(l.Count) * l.Price
}

// Volume is what is paid by what goes through it. Nothing here can tell how much that is.
type Volume struct {
	Thing string
	Count int
	// By is what drives the cost.
	By string
}

// Estimate is what an account costs in a region.
type Estimate struct {
	Region string
	// Lines are sorted by what they cost in a month, the most first; those without a price are at the end.
	Lines   []Line
	Volumes []Volume
}

// Monthly is the sum of the lines that have a price, in USD, and whether all have one.
func (e *Estimate) Monthly() (sum float64, whole bool) {
	whole = true
	for _, l := range e.Lines {
		sum, whole = sum+l.Monthly(), whole && l.Known
	}
	return sum, whole
}

// Of counts what exists in a region, and what belongs to no region.
func Of(region string, objects []simcloud.Object) *Estimate {
	objects = slices.DeleteFunc(slices.Clone(objects), func(o simcloud.Object) bool { return o.Scope != region && o.Scope != "" })
	e := &Estimate{Region: region}
	for thing, count := range fixed(objects) {
		r, p, known := price(thing, region)
		e.add(Line{Thing: thing, Count: count, Price: p, Unit: r.per, Known: known, Source: r.source})
	}
	for kind, count := range nodes(objects) {
		family, size, _ := strings.Cut(strings.TrimSuffix(kind, spot), ".")
		p, known := machines[region][family]
		factor, sized := sizes[size]
		known = known && sized && !strings.HasSuffix(kind, spot)
		if !known {
			p = 0
		}
		e.add(Line{Thing: "node " + kind, Count: count, Price: p * factor, Unit: Hour, Known: known, Source: machineSource})
	}
	for _, v := range volumes {
		count := 0
		for _, o := range objects {
			if o.Type == v.token {
				count++
			}
		}
		if count > 0 {
			e.Volumes = append(e.Volumes, Volume{Thing: v.thing, Count: count, By: v.by})
		}
	}
	slices.SortFunc(e.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(b.Monthly(), a.Monthly()), strings.Compare(a.Thing, b.Thing))
	})
	return e
}

func (e *Estimate) add(l Line) {
	if l.Count > 0 {
		e.Lines = append(e.Lines, l)
	}
}

// Table writes the estimate: so many of what, at which price, what that is in a month, and what volume is paid for.
func (e *Estimate) Table(to io.Writer) error {
	fmt.Fprintf(to, "Estimate for %s: list prices of %s in USD, a month of %d hours, without traffic, storage of data, taxes and discounts.\n", e.Region, PricesAsOf, hours)
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, l := range e.Lines {
		amount, unit := "no price here", l.Source
		if l.Known {
			amount, unit = fmt.Sprintf("%.0f", l.Monthly()), fmt.Sprintf("%g per %s", l.Price, l.Unit)
		}
		fmt.Fprintf(t, "%d ×\t%s\t  %s (%s)\t\n", l.Count, amount, l.Thing, unit)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	sum, whole := e.Monthly()
	words := "a month"
	if !whole {
		words = "a month and what has no price here"
	}
	fmt.Fprintf(to, "about %.0f %s; and by volume:\n", sum, words)
	for _, v := range e.Volumes {
		fmt.Fprintf(to, "  %d × %s: %s\n", v.Count, v.Thing, v.By)
	}
	return nil
}

// Sources are the pages of the estimate's prices.
func (e *Estimate) Sources() []string {
	found := map[string]bool{}
	for _, l := range e.Lines {
		found[l.Source] = true
	}
	return slices.Sorted(maps.Keys(found))
}
