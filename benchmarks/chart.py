"""The bar chart of docs/performance.md, as PNG and SVG, by matplotlib."""

from __future__ import annotations

from pathlib import Path

from toyvm.proofs.cpu import CpuTable

OURS, THEIRS, LIMIT = "#1f6feb", "#8b949e", "#d0d7de"


def draw(table: CpuTable, folder: Path) -> list[Path]:
    """Write performance.png and performance.svg into `folder`; [] if matplotlib is missing."""
    try:
        import matplotlib
    except ImportError:
        return []
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "toyvm"
    from matplotlib import pyplot

    peers = sorted(table.peers, key=lambda peer: table.geomean(peer.name))
    values = [table.geomean(peer.name) for peer in peers]
    labels = [peer.what for peer in peers]
    colours = [
        LIMIT if peer.level == "native" else OURS if peer.what.startswith("toyvm") else THEIRS
        for peer in peers
    ]
    figure, axes = pyplot.subplots(figsize=(9, 0.5 * len(peers) + 1.2))
    bars = axes.barh(labels, values, color=colours)
    # The mark in the label says the same as the colour.
    axes.set_yticks(range(len(peers)), [
        f"{label} ◆" if colour == OURS else label
        for label, colour in zip(labels, colours, strict=True)
    ])  # fmt: skip
    axes.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3)
    axes.set_xscale("log")
    axes.set_xlim(min(values) / 2, max(values) * 2)
    axes.set_xlabel("guest MIPS, geometric mean of six programs, logarithmic   (◆ toyvm)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    written = []
    for name, metadata in (("performance.png", None), ("performance.svg", {"Date": None})):
        path = folder / name
        figure.savefig(path, dpi=110, metadata=metadata)
        written.append(path)
    pyplot.close(figure)
    return written
