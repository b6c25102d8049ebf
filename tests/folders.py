"""A landing zone, a warehouse and a registry below a temporary folder."""

from __future__ import annotations

from pathlib import Path

from throughline.settings import Settings, load_settings

REGISTRY = {
    "sources.csv": "source,time_zone,currency,reject_visitor_mismatch,max_gap_days\n",
    "projects.csv": "source,project_id,project_name,time_zone,currency\n",
}


def make_settings(home: Path, **more: str) -> Settings:
    """Settings for an empty landing zone, warehouse and registry below `home`."""
    for name, header in REGISTRY.items():
        path = home / "registry" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header, encoding="utf-8")
    (home / "landing").mkdir(exist_ok=True)
    return load_settings(
        {
            "LANDING_DIR": str(home / "landing"),
            "WAREHOUSE_DIR": str(home / "warehouse"),
            "REGISTRY_DIR": str(home / "registry"),
            "DUCKDB_THREADS": "1",
            "MEMORY_LIMIT": "1GB",
            **more,
        }
    )


def write_log(settings: Settings, source: str, log: str, name: str, text: str) -> Path:
    """One file in the landing zone."""
    path = settings.landing_dir / source / log / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
