"""What `judge.py` found, in a table: python tests/judge/summary.py RESULTS.jsonl…"""

import collections
import json
import pathlib
import sys

CLOSE = 1e-4


def main():
    rows = [json.loads(line) for path in sys.argv[1:] for line in pathlib.Path(path).read_text().splitlines()]
    for group in sorted({(row["library"], row["exporter"]) for row in rows}):
        own = [row for row in rows if (row["library"], row["exporter"]) == group]
        print(
            *group, "-", len({row["name"] for row in own}), "classifiers, seeds", *sorted({row["seed"] for row in own})
        )
        for kind, some in (
            ("automatic", [row for row in own if row["layer"] == "auto"]),
            ("named", [row for row in own if row["layer"] != "auto"]),
        ):
            counts = collections.Counter(row["verdict"].split(":")[0] for row in some)
            print(
                f"  {kind:<10}{len(some):4} ",
                ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()),
            )
            judged = [row for row in some if "f64" in row]
            if judged:
                worst = max(judged, key=lambda row: row["f64"]["head"])
                print(f"            head in f64: {worst['f64']['head']:.1e} at most ({worst['name']})")
                print("           ", *(in_f32(name, judged) for name in judged[0]["f32"]))
        for words, count in reasons(own).most_common():
            print(f"  {count:4} {words}")


def in_f32(name, rows):
    """Within the tolerance; apart but for corners; apart for another reason."""
    errors = {id(row): max(value for what, value in row["f32"][name].items() if "gradients" in what) for row in rows}
    apart = [row for row in rows if not errors[id(row)] <= CLOSE]
    corners = [row for row in apart if row["rough"].get(name, {}).get("left", 1) <= CLOSE]
    return f"{name} {len(rows) - len(apart)} + {len(corners)} by corners + {len(apart) - len(corners)};"


def reasons(rows):
    """Why classifiers were not judged, by the words without names."""
    found = collections.defaultdict(set)
    for row in rows:
        if row["verdict"] != "exact":
            words = row["verdict"]
            for mark in ("classifier: ", "(node `", "node `"):
                before, cut, after = words.partition(mark)
                if cut:
                    words = before + (after if mark == "classifier: " else cut + "…`" + after.partition("`")[2])
            found[words[:160]].add(row["name"])
    return collections.Counter({f"{words}: {', '.join(sorted(names))}": len(names) for words, names in found.items()})


if __name__ == "__main__":
    main()
