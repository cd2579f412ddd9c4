"""Writes the Grafana dashboards as JSON into the folder named as the only argument.

The text is the same on each run: keys are sorted, and a newline ends the file.
"""

import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from source import detail, overview


def without_noise(dashboard: dict[str, Any]) -> dict[str, Any]:
    """Takes out what the library writes although it means nothing there, and Grafana's own schema does not know."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "interval":
            for key in ("auto", "auto_count", "auto_min"):
                variable.pop(key, None)
    for panel in dashboard["panels"]:
        if "repeat" not in panel:
            panel.pop("repeatDirection", None)
        if panel["type"] == "table":
            # Footers are settings of columns since Grafana 12.2.
            panel["options"].pop("footer", None)
    return dashboard


def main() -> None:
    """Writes one file for each dashboard, named after its uid."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for module in (overview, detail):
        built = json.loads(json.dumps(module.dashboard().build(), cls=JSONEncoder))
        text = json.dumps(without_noise(built), indent=2, sort_keys=True, ensure_ascii=False)
        (folder / f"{built['uid']}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
