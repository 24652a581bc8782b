package aws

import "encoding/json"

// statement is one statement of a policy; document renders several. encoding/json sorts the keys, so that the same
// statements always give the same text.
type statement map[string]any

func document(statements ...statement) string {
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // statements are maps of texts
	}
	return string(text)
}
