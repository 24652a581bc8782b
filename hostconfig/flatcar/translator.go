package flatcar

import (
	"container/list"
	"crypto/sha256"
	"slices"
	"sync"
	"time"
)

// Translator remembers what documents became, for callers that render the same
// machines again and again: the members of a group, or a preview and the update
// after it. It changes nothing but the time that a translation takes. Its zero
// value remembers nothing; it is safe for use by several goroutines.
type Translator struct {
	limit int
	mutex sync.Mutex
	// order has the translation used last in front.
	order list.List
	known map[[sha256.Size]byte]*list.Element
}

type translation struct {
	key      [sha256.Size]byte
	ignition []byte
}

// NewTranslator makes one that remembers at most so many documents, and forgets
// first what was not used for longest. A document of a control plane and its
// translation are about 100 KiB, of which the translation is kept.
func NewTranslator(documents int) *Translator {
	return &Translator{limit: documents, known: map[[sha256.Size]byte]*list.Element{}}
}

// Translate is the function of the same name. What is not accepted is not
// remembered. The bytes belong to the caller.
func (t *Translator) Translate(document []byte) ([]byte, error) {
	key := sha256.Sum256(document)
	if known, found := t.recall(key); found {
		return known, nil
	}
	// Not under the lock: two callers may translate the same at once, to no harm.
	ignition, err := Translate(document)
	if err != nil {
		return nil, err
	}
	t.remember(key, slices.Clone(ignition))
	return ignition, nil
}

func (t *Translator) recall(key [sha256.Size]byte) ([]byte, bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	element, found := t.known[key]
	if !found {
		return nil, false
	}
	t.order.MoveToFront(element)
	return slices.Clone(element.Value.(translation).ignition), true
}

func (t *Translator) remember(key [sha256.Size]byte, ignition []byte) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if _, found := t.known[key]; found || t.limit < 1 {
		return
	}
	t.known[key] = t.order.PushFront(translation{key, ignition})
	if t.order.Len() > t.limit {
		oldest := t.order.Back()
		t.order.Remove(oldest)
		delete(t.known, oldest.Value.(translation).key)
	}
}

// Ignition renders the machine as [Spec.Ignition] does. It validates each time:
// an exception that expired is refused, whatever is remembered.
func (t *Translator) Ignition(s Spec, now time.Time) ([]byte, error) {
	document, err := s.Butane(now)
	if err != nil {
		return nil, err
	}
	return t.Translate(document)
}
