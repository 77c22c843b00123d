-- Who were the ten largest holders at that moment?
-- snapshot_at says which snapshot answers.
-- Parameters: moment, target (its name or label; null: each), how_many.
-- With psql: -v moment="'2026-10-01 12:00+00'" -v target=null -v how_many=10
select
    coalesce(label, target) as target,
    rank as place,
    holder,
    asset,
    quantity,
    round(100 * share, 2) as percent,
    held_since,
    snapshot_at
from mart.holders_as_of(cast(:moment as timestamptz), :target)
where rank <= :how_many
order by 1, rank, holder, asset;
