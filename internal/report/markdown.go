package report

import (
	"fmt"
	"slices"
	"strings"
)

// Markdown returns the review. What comes from the report is escaped: in a pull request, its author chooses it.
func (p Preview) Markdown() string {
	parts := []string{p.title()}
	if failed := p.Errors(); len(failed) > 0 {
		parts = append(parts, "### The preview failed\n\nNo update is possible like this. What follows is incomplete.\n\n"+fenced(failed))
	}
	if text := p.data(); text != "" {
		parts = append(parts, text)
	}
	if text := p.interrupted(); text != "" {
		parts = append(parts, "### Interruptions and warnings\n\n"+text)
	}
	parts = append(parts, "### Cost\n\n"+strings.Join(p.costs(), "\n"))
	if text := p.rest(); text != "" {
		parts = append(parts, text)
	}
	if notes := p.messages("info"); len(notes) > 0 {
		parts = append(parts, folded("What the program says of the stack", fenced(notes)))
	}
	return strings.Join(parts, "\n\n") + "\n"
}

func (p Preview) title() string {
	if p.Stack != "" {
		return "## Preview of stack " + escape(p.Stack)
	}
	return "## Preview"
}

// data returns what holds data and is deleted, replaced or retained; of a failed preview, what is known of it.
func (p Preview) data() string {
	lost, retained := p.Lost(), p.Retained()
	var parts []string
	switch {
	case len(lost) > 0:
		rows := []string{
			fmt.Sprintf("### :warning: Data is lost: %s", count(len(lost), "resource")), "",
			"| operation | resource | what is lost |", "|---|---|---|",
		}
		for _, s := range lost {
			rows = append(rows, fmt.Sprintf("| %s | %s | %s |", s.Op, s.resource(), Held(s.Type())))
		}
		parts = append(parts, strings.Join(rows, "\n"))
	case len(p.Errors()) == 0:
		parts = append(parts, "Nothing that holds data is deleted or replaced.")
	}
	if len(retained) > 0 {
		var steps []string
		for _, s := range retained {
			steps = append(steps, s.Op+" "+s.resource())
		}
		parts = append(parts, "In the stack only, since they are retained with their data: "+strings.Join(steps, ", ")+".")
	}
	return strings.Join(parts, "\n\n")
}

// interrupted returns what the program warns of, and what the steps interrupt, whether the program mentions it or not.
func (p Preview) interrupted() string {
	var lines []string
	for _, warning := range p.messages("warning") {
		lines = append(lines, "- "+escape(warning))
	}
	for _, s := range p.Steps {
		if text := s.interrupts(); text != "" {
			lines = append(lines, fmt.Sprintf("- %s %s: %s", s.Op, s.resource(), text))
		}
	}
	return strings.Join(lines, "\n")
}

// rest returns all other steps, collapsed.
func (p Preview) rest() string {
	apart := slices.Concat(p.Lost(), p.Retained())
	var lines []string
	for _, s := range p.Steps {
		listed := slices.ContainsFunc(apart, func(other Step) bool { return other.URN == s.URN && other.Op == s.Op })
		if !listed && s.interrupts() == "" && s.Type() != stashType {
			lines = append(lines, fmt.Sprintf("- %s %s", s.Op, s.resource()))
		}
	}
	slices.Sort(lines)
	summary := count(len(lines), "other change")
	if same := p.Summary["same"]; same > 0 {
		summary += fmt.Sprintf(", %d unchanged", same)
	}
	if len(lines) == 0 {
		return strings.ToUpper(summary[:1]) + summary[1:] + "."
	}
	return folded(summary, strings.Join(lines, "\n"))
}

// resource returns a resource as text, for example "BucketV2 `storage-dataset`", and what of it differs.
func (s Step) resource() string {
	text := s.short() + " `" + strings.ReplaceAll(s.Name(), "`", "'") + "`"
	if s.Op != "update" && s.Op != "replace" {
		return text
	}
	var differs []string
	for _, property := range s.Diff {
		if name := firstName(property); !slices.Contains(differs, name) {
			differs = append(differs, name)
		}
	}
	if len(differs) == 0 {
		return text
	}
	slices.Sort(differs)
	return text + " (" + escape(strings.Join(differs, ", ")) + ")"
}

// firstName returns the first name in the path of a property.
func firstName(property string) string {
	if end := strings.IndexAny(property, ".["); end > 0 {
		return property[:end]
	}
	return property
}

// count returns a number with its noun: no resources, 1 resource, 2 resources.
func count(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// folded returns text that is collapsed below a summary.
func folded(summary, text string) string {
	return fmt.Sprintf("<details><summary>%s</summary>\n\n%s\n\n</details>", summary, text)
}

// fenced returns messages as a code block. None of them can end it.
func fenced(messages []string) string {
	return "~~~~text\n" + strings.ReplaceAll(strings.Join(messages, "\n\n"), "~~~~", "~~~") + "\n~~~~"
}

// escape returns text that Markdown shows as it is, in one line and in a table.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\n", "<br>", "|", `\|`, "*", `\*`, "[", `\[`, "`", "'").Replace(text)
}
