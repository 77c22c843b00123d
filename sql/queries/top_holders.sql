-- Who are the ten largest holders now?
-- Parameters: target (its name or label; null: each), how_many.
-- With psql: -v target=null -v how_many=10
select
    coalesce(label, target) as target,
    rank as place,
    holder,
    asset,
    quantity as amount,
    round(100 * share, 2) as percent,
    held_since
from mart.top_holders(:how_many, :target)
order by 1, rank, holder, asset;
