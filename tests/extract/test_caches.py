import pytest

from pipelines.extract.caches import is_from_cache

CACHED = [
    ("age", "1"),
    ("age", "007"),
    ("age", "0, 12"),
    ("age", "9" * 40),
    ("x-cache", "HIT"),
    ("x-cache", "Hit from cloudfront"),
    ("x-cache", "RefreshHit from cloudfront"),
    ("x-cache", "TCP_MEM_HIT from a.b (squid/6.1)"),
    ("x-cache", "MISS, HIT"),
    ("x-cache-status", "STALE"),
    ("x-cache-status", "UPDATING"),
    ("x-proxy-cache", "HIT"),
    ("cdn-cache", "HIT"),
    ("cf-cache-status", "STALE"),
    ("cf-cache-status", "REVALIDATED"),
    ("x-vercel-cache", "STALE"),
    ("cache-status", "ExampleCache; hit"),
    ("cache-status", '"a, miss"; fwd=miss, b;ttl=3; hit=?1'),
    ("cache-status", "OriginCache; hit; ttl=1100, CDN; fwd=uri-miss"),
    ("warning", '110 a.b "Response is Stale"'),
    ("warning", '199 - "a, 1", 111 - "Revalidation Failed"'),
]
OWN = [
    ("age", "0"),
    ("age", "00"),
    ("age", ""),
    ("age", "-1"),
    ("age", "soon"),
    ("age", "\u00b2"),
    ("x-cache", ""),
    ("x-cache", ","),
    ("x-cache", "MISS from hitchin"),
    ("x-cache", "Miss from cloudfront, MISS from white-hit.example"),
    ("x-cache", "TCP_MISS"),
    ("x-cache", "whitelisted"),
    ("x-cache-status", "EXPIRED"),
    ("cf-cache-status", "DYNAMIC"),
    ("cf-cache-status", "BYPASS"),
    ("cache-status", "hit; fwd=miss"),
    ("cache-status", '"a; hit"; fwd=miss; detail="b, c; hit"'),
    ("cache-status", "a; hit=?0"),
    ("cache-status", 'a; detail="never closed; hit'),
    ("warning", '299 - "110 is no code here"'),
    ("x-other", "HIT"),
]


@pytest.mark.parametrize(("name", "value"), CACHED)
def test_what_a_cache_kept_is_known_by_its_header(name: str, value: str) -> None:
    assert is_from_cache({"server": "x", name: value})


@pytest.mark.parametrize(("name", "value"), OWN)
def test_what_the_provider_answered_is_not_taken_for_kept(name: str, value: str) -> None:
    assert not is_from_cache({"server": "x", name: value})
