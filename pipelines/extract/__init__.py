"""How pages are fetched and judged, for any provider."""
