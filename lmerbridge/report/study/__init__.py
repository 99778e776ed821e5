"""The study for people: a page in HTML and one in Markdown, of the numbers that ``study.json`` holds."""
