"""A grouped bar chart as SVG, readable in print, on light and on dark screens."""

from html import escape

COLOURS = ["#8a8f98", "#5b9bd5", "#59a89c", "#e0a030", "#d1495b"]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 880, 360, 48, 56, 40


def bar(x, y, width, height, colour, title):
    """One bar with a hover text."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}"><title>{escape(title)}</title></rect>'
    )


def whisker(x, low, high):
    """The interval of a bar."""
    return (
        f'<path d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 3:.1f} {low:.1f}h6M{x - 3:.1f} '
        f'{high:.1f}h6" stroke="currentColor" stroke-width="1.2" fill="none"/>'
    )


def text(x, y, words, anchor="middle"):
    """A label."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def legend(rows):
    """A coloured square and a name for each method."""
    parts = []
    for i, (label, _) in enumerate(rows):
        x = LEFT + i * (WIDTH - LEFT) / len(rows)
        parts.append(bar(x, 14, 12, 12, COLOURS[i % len(COLOURS)], label))
        parts.append(text(x + 18, 25, label, "start"))
    return parts


def grid(top):
    """Horizontal lines with their values."""
    parts = []
    for i in range(5):
        y = HEIGHT - BOTTOM - i / 4 * (HEIGHT - TOP - BOTTOM)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - 8}" stroke="currentColor" opacity="0.15"/>'
        )
        parts.append(text(LEFT - 6, y + 4, f"{top * i / 4:.2f}", "end"))
    return parts


def bars(rows, names, top):
    """All groups: one per metric, one bar per method."""
    parts = []
    scale = (HEIGHT - TOP - BOTTOM) / top
    group = (WIDTH - LEFT - 8) / len(names)
    width = group * 0.8 / len(rows)
    for g, name in enumerate(names):
        parts.append(text(LEFT + (g + 0.5) * group, HEIGHT - 16, name))
        for i, (label, values) in enumerate(rows):
            mean, half = values[g]
            x = LEFT + (g + 0.1) * group + i * width
            y = HEIGHT - BOTTOM - mean * scale
            parts.append(
                bar(
                    x,
                    y,
                    width - 1,
                    mean * scale,
                    COLOURS[i % len(COLOURS)],
                    f"{label}: {name} {mean:.4f}" + (f" ±{half:.4f}" if half else ""),
                )
            )
            if half:
                parts.append(whisker(x + width / 2, y - half * scale, y + half * scale))
    return parts


def write(path, rows, names):
    """rows: (label, [(mean, half interval or None), ...]); names: the metrics."""
    top = 1.1 * max(mean + (half or 0) for _, values in rows for mean, half in values) or 1
    style = (
        "text{font:12px sans-serif;fill:currentColor}svg{color:#24292f;background:#fff}"
        "@media(prefers-color-scheme:dark){svg{color:#e6edf3;background:#0d1117}}"
    )
    body = "\n".join(legend(rows) + grid(top) + bars(rows, names, top))
    with open(path, "w", encoding="utf-8") as out:
        out.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'role="img"><style>{style}</style>\n{body}\n</svg>\n'
        )
