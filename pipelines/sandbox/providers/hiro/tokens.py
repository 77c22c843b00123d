"""The tokens that a chain's principals hold: every type of Clarity value, ordinary and odd."""

from random import Random

from pipelines.sandbox.providers.hiro import clarity
from pipelines.sandbox.providers.hiro.blocks import Token

_DEPLOYER = "SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173"

ONE_OF_A_KIND = (
    clarity.NONE,
    clarity.TRUE,
    clarity.FALSE,
    clarity.some(clarity.NONE),
    clarity.some(clarity.uint128(1)),
    clarity.ok(clarity.uint128(1)),
    clarity.err(clarity.ascii_string("e")),
    clarity.list_of(),
    clarity.list_of(clarity.uint128(1), clarity.uint128(2)),
    clarity.uint128(2**128 - 1),
    clarity.int128(-(2**127)),
    clarity.buffer(b""),
    clarity.ascii_string(""),
    clarity.utf8_string('q" b\\ nl\n \0 \U0010ffff'),
)


CANDY = "SPQZF23W7SEYBFG5JQ496NMY0G7379SRYEDREMSV.Candy::candy"


def candy(rng: Random) -> Token:
    """One of the kind that there are most of; the same twice is out of the question."""
    return Token.of(CANDY, clarity.uint128(rng.getrandbits(100)))


def special(number: int) -> list[Token]:
    """One of each odd value, in a class of its own."""
    return [Token.of(f"{_DEPLOYER}.misc::m-{number}", value) for value in ONE_OF_A_KIND]


def ordinary(rng: Random, serial: int) -> Token:
    """A token of one of the usual types, another one for each serial number."""
    contract = f"{_DEPLOYER}.c-{serial}"
    name, space = clarity.buffer(b"name%d" % serial), clarity.buffer(b"btc")
    choices = (
        (CANDY, clarity.uint128(serial)),
        (f"{_DEPLOYER}.the-explorer-guild::The-Explorer-Guild", clarity.uint128(serial)),
        ("SP000000000000000000002Q6VF78.bns::names", clarity.tuple_of(name=name, namespace=space)),
        (f"{_DEPLOYER}.ints::i", clarity.int128(-serial if serial % 2 else serial)),
        (f"{_DEPLOYER}.bufs::b", clarity.buffer(serial.to_bytes(serial % 20 + 4))),
        (f"{_DEPLOYER}.ascii::s", clarity.ascii_string(f'tok-"{serial}"\\')),
        (f"{_DEPLOYER}.utf8::u", clarity.utf8_string(f"ñandú 🦀 {serial}")),
        (f"{_DEPLOYER}.princ::p", clarity.principal(contract)),
        (f"{_DEPLOYER}.opt::o", clarity.some(clarity.uint128(serial))),
    )
    return Token.of(*rng.choices(choices, weights=(6, 6, 4, 1, 1, 1, 1, 1, 1))[0])
