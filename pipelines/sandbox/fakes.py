"""Invented identifiers and names: valid in form, drawn from the world's random numbers alone.

Names are as unkind as people are: a space at the end (as in Altura's own documentation), several
scripts, emoji, quotes that want escaping, none at all.
"""

from random import Random

from pipelines.providers import c32

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_FIRST = (
    "The Altura OG ", "@pujken", "Zoë", "李雷", "Мария", "señor_ñandú", "0xDad", "🦀 crab",
    "O'Neil", 'the "real" one', "back\\slash", "moon\tboy", "علي", "grace.eth", "Kōan", "nobody",
)  # fmt: skip
_PLACES = ("dock", "gate", "warehouse", "pump", "kiosk", "truck", "scale", "crane")


def wallet(rng: Random) -> str:
    return "0x" + rng.randbytes(20).hex()


def person(rng: Random) -> str | None:
    """A display name; one in three has none, and some share one."""
    if rng.random() < 1 / 3:
        return None
    name = rng.choice(_FIRST)
    return name if rng.random() < 0.2 else f"{name}{rng.randrange(1000)}"


def picture(rng: Random) -> str | None:
    if rng.random() < 0.5:
        return None
    return "https://ipfs.io/ipfs/Qm" + "".join(rng.choices(ALPHANUMERIC, k=44))


def picture_url(rng: Random, address: str) -> str | None:
    if rng.random() < 0.5:
        return None
    return f"https://pictures.example/{address}_{rng.randbytes(8).hex()}.png"


def stacks_address(rng: Random) -> str:
    version = c32.MAINNET_SINGLE_SIG if rng.random() < 0.9 else c32.MAINNET_MULTI_SIG
    return c32.encode(version, rng.randbytes(20))


def transaction(rng: Random) -> str:
    return "0x" + rng.randbytes(32).hex()


def device_id(rng: Random) -> str:
    return "d" + "".join(rng.choices(ALPHANUMERIC, k=19))


def asset_id(rng: Random) -> str:
    return "a" + "".join(rng.choices(ALPHANUMERIC, k=19))


def device_name(rng: Random) -> str | None:
    if rng.random() < 0.3:
        return None
    return f"{rng.choice(_PLACES)} {rng.randrange(100)}"


def product_id(rng: Random) -> str | None:
    if rng.random() < 0.5:
        return None
    return "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ", k=3)) + f"{rng.randrange(1000):03}"
