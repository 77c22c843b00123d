"""What a provider's record is refused for when it is made: that is when its file is imported."""

from dataclasses import replace

import pytest

from pipelines.providers import PROVIDERS
from pipelines.providers.pages import Ground
from pipelines.providers.proofs import Proof
from pipelines.warehouse.schema import snapshot
from tests.end_to_end.added.cursors_provider import MADE_UP, page_request, read_page

HIRO, ALTURA, CATENIS = (PROVIDERS[name] for name in ("hiro", "altura", "catenis"))


@pytest.mark.parametrize("proof", [Proof.CHAINED, Proof.CHAINED_TO_LAST])
def test_cursors_can_t_carry_a_proof_that_stands_on_positions(proof: Proof) -> None:
    told = rf"made_up lists the proof {proof}, which stands on .*positions.*: its Cursors"
    with pytest.raises(ValueError, match=told):
        replace(MADE_UP, proofs=(*MADE_UP.proofs, proof))


def test_cursors_without_a_total_show_no_size_before_the_end() -> None:
    without = type(MADE_UP.addressing)(
        page_request=page_request, read_page=read_page, tells_total=False
    )
    with pytest.raises(ValueError, match=r"double_collect, which stands on .*the size of the set"):
        replace(MADE_UP, addressing=without)


def test_positions_without_a_total_show_the_size_by_where_they_end() -> None:
    assert not CATENIS.addressing.tells_total
    assert Ground.SIZE in CATENIS.addressing.grounds


@pytest.mark.parametrize("proof", [Proof.CHAINED, Proof.CHAINED_TO_LAST])
def test_pages_are_chained_only_where_rows_enter_at_the_top(proof: Proof) -> None:
    with pytest.raises(ValueError, match=rf"altura lists the proof {proof}.*new rows entering at"):
        replace(ALTURA, proofs=(*ALTURA.proofs, proof))


def test_pages_are_chained_only_where_a_total_is_told() -> None:
    blind = replace(HIRO.addressing, tells_total=False)
    with pytest.raises(ValueError, match=r"hiro lists the proof chained.*a total on each page"):
        replace(HIRO, addressing=blind)


def test_what_changed_since_the_last_snapshot_is_known_only_where_rows_keep_their_order() -> None:
    with pytest.raises(ValueError, match=r"chained_to_last.*rows that stay keeping their order"):
        replace(HIRO, dataset=replace(HIRO.dataset, ordered=False))


def test_without_a_second_reading_no_first_snapshot_could_be_confirmed() -> None:
    with pytest.raises(ValueError, match="does not list the proof double_collect"):
        replace(ALTURA, proofs=(Proof.SINGLE_PAGE,))


@pytest.mark.parametrize("proof", Proof)
def test_each_proof_names_what_it_stands_on(proof: Proof) -> None:
    assert proof.stands_on or proof is Proof.SINGLE_PAGE


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_what_is_told_beside_the_rows_has_columns(provider) -> None:
    assert set(provider.extra_columns) <= set(snapshot.columns.keys())
