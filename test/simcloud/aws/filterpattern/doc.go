// Package filterpattern reads the filter patterns of CloudWatch Logs and tells which log events they match. It is pure:
// a text in, an answer out.
//
// The grammar is that of https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html as far as
// programs here use it: terms, patterns of JSON events, and of space-delimited events. Regular expressions are refused by
// name. What the documentation leaves open is not guessed: see [Pattern.Match].
package filterpattern
