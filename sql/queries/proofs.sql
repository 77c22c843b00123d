-- Which proofs do our snapshots rest on?
-- walked_again: it took more than the fewest walks of that proof, because the set had changed.
-- Parameter: since.
-- With psql: -v since="'2026-10-01'"
select
    provider,
    proof,
    count(*) as snapshots,
    round(100.0 * count(*) / sum(count(*)) over (partition by provider), 2) as percent,
    round(avg(requests), 1) as requests_each,
    round(avg(seconds), 1) as seconds_each,
    count(*) filter (where walks > fewest) as walked_again
from (
    select *, min(walks) over (partition by provider, proof) as fewest
    from mart.snapshots
    where snapshot_at >= cast(:since as timestamptz)
) s
group by provider, proof
order by provider, snapshots desc, proof;
