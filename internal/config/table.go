package config

import (
	"reflect"
	"regexp"
	"strings"
)

//go:generate go run ./readme

// Table returns the variables with their defaults and meanings, as a Markdown table.
func Table() string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n| --- | --- | --- |\n")
	for field := range reflect.TypeFor[Config]().Fields() {
		preset := "–"
		if v := field.Tag.Get("default"); v != "" {
			preset = "`" + v + "`"
		}
		b.WriteString("| `" + variable(field) + "` | " + preset + " | " + field.Tag.Get("desc") + " |\n")
	}
	return b.String()
}

// words finds the words of a Go name: a run of capitals is one word, up to the capital that begins the next.
var words = regexp.MustCompile(`[A-Z]+[a-z]*`)

// acronym finds a run of capitals that another word follows.
var acronym = regexp.MustCompile(`^([A-Z]+)([A-Z][a-z]+)$`)

// variable returns the name that envconfig gives a field's variable.
func variable(field reflect.StructField) string {
	parts := []string{Prefix}
	for _, word := range words.FindAllString(field.Name, -1) {
		if m := acronym.FindStringSubmatch(word); m != nil {
			parts = append(parts, m[1], m[2])
		} else {
			parts = append(parts, word)
		}
	}
	return strings.ToUpper(strings.Join(parts, "_"))
}
