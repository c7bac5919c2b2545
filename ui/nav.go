package ui

import "strings"

// navGroup is a part of the navigation at the side.
type navGroup struct {
	Title   string
	Entries []navEntry
}

// navEntry leads to an area. Its key is what a page of the area has as its nav.
type navEntry struct {
	Key, Title, Path, Icon string
}

func navigation() []navGroup {
	return []navGroup{
		{"", []navEntry{{"overview", "Overview", "/", "home"}}},
		{"Outgoing", []navEntry{{"webhooks", "Webhooks", "/webhooks", "send"}, {"deliveries", "Deliveries", "/deliveries", "truck"}, {"events", "Events", "/events", "bolt"}}},
		{"Incoming", []navEntry{{"sources", "Sources", "/sources", "inbox"}, {"requests", "Requests", "/requests", "list"}}},
		{"Audience", []navEntry{{"contacts", "Contacts", "/contacts", "users"}, {"lists", "Lists", "/lists", "rows"}, {"tags", "Tags", "/tags", "tag"}}},
		{"", []navEntry{{"settings", "Settings", "/settings", "gear"}}},
	}
}

// tab leads to a page beside this one.
type tab struct {
	Title, Path string
	Current     bool
}

// tabsAt marks the tab of a path, or of the page above it.
func tabsAt(path string, tabs ...tab) []tab {
	best := -1
	for i, t := range tabs {
		if (path == t.Path || strings.HasPrefix(path, t.Path+"/")) && (best < 0 || len(t.Path) > len(tabs[best].Path)) {
			best = i
		}
	}
	if best >= 0 {
		tabs[best].Current = true
	}
	return tabs
}

// crumb is a page above this one.
type crumb struct{ Title, Path string }

// icons are the paths of icons, 20 by 20, drawn with a line.
func icons() map[string]string {
	return map[string]string{
		"home":  "M3 9.5 10 3l7 6.5V17h-5v-4H8v4H3z",
		"send":  "M17 3 9 11M17 3l-5 14-3-6-6-3z",
		"truck": "M2 5h9v9H2zM11 8h4l3 3v3h-7zM5 16.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM14.5 16.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3z",
		"bolt":  "M11 2 4 11h5l-1 7 7-9h-5z",
		"inbox": "M3 11h4l1.5 2.5h3L13 11h4M3 11l2.5-7h9L17 11v5H3z",
		"list":  "M7 5h10M7 10h10M7 15h10M3 5h.01M3 10h.01M3 15h.01",
		"users": "M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 16.5c0-3 2.5-4.5 5.5-4.5s5.5 1.5 5.5 4.5M13 4a2.5 2.5 0 0 1 0 5M14.5 12c2 .4 3.5 1.8 3.5 4",
		"rows":  "M3 4h14v4H3zM3 12h14v4H3z",
		"tag":   "M3 3h6l8 8-6 6-8-8zM6.5 6.5h.01",
		"gear":  "M10 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM10 2v2.5M10 15.5V18M2 10h2.5M15.5 10H18M4.3 4.3l1.8 1.8M13.9 13.9l1.8 1.8M15.7 4.3l-1.8 1.8M6.1 13.9l-1.8 1.8",
		"menu":  "M3 5h14M3 10h14M3 15h14",
		"down":  "M5 8l5 5 5-5",
		"sun":   "M10 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1 1M14.7 14.7l1 1M15.7 4.3l-1 1M5.3 14.7l-1 1",
		"user":  "M10 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3.5 17c0-3.5 3-5 6.5-5s6.5 1.5 6.5 5",
		"copy":  "M7 7V3h10v10h-4M3 7h10v10H3z",
	}
}
