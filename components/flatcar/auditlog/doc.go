// Package auditlog brings the audit log of an API server into a store that lets
// nobody replace or delete what it has (M17, M38). It follows the file as the API
// server writes and rotates it, and cuts it into objects: the objects of one
// stream, unpacked one after the other, are the log, byte for byte.
//
// What a shipper is about to store it notes on the disk first, and what it has
// stored only when the store said so. So it may be killed at any moment: it makes
// the same object again, under the same name, and the store refuses the second one.
//
// It never deletes or changes the log, and never reads what it stored.
package auditlog
