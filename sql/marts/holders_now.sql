create or replace view mart.holders_now as
select
    t.provider,
    t.target_id,
    t.target,
    t.label,
    coalesce(r.holder, w.holder) as holder,
    coalesce(r.asset, w.asset) as asset,
    r.tokens,
    r.quantity,
    r.held_since,
    r.rank,
    r.quantity / nullif(t.quantity, 0) as share,
    t.snapshot_id,
    t.snapshot_at
from mart.targets t
join holding_target w using (target_id)
cross join lateral (
    select
        h.holder,
        h.asset,
        1::bigint as tokens,
        h.quantity,
        h.held_since,
        rank() over (order by h.quantity desc) as rank
    from holding_rows_current h
    where h.provider = t.provider and h.target_id = t.target_id and h.one_per_holder
    union all
    select
        h.holder,
        h.asset,
        count(*),
        sum(h.quantity),
        min(h.held_since),
        rank() over (order by sum(h.quantity) desc)
    from holding_rows_current h
    where h.provider = t.provider and h.target_id = t.target_id and not h.one_per_holder
    group by h.holder, h.asset
) r
where t.retired_at is null;

comment on view mart.holders_now is 'Who holds how much of each asset now. One row for each target, holder and asset: the tokens of one class that a holder has are one row.';
comment on column mart.holders_now.provider is {providers};
comment on column mart.holders_now.target_id is 'The target that it was seen in. The same holding can be seen in two targets with different options.';
comment on column mart.holders_now.target is 'Identity of the target: provider:subject?options.';
comment on column mart.holders_now.label is 'Name given to the target by people; may be null.';
comment on column mart.holders_now.holder is {holders};
comment on column mart.holders_now.asset is {assets};
comment on column mart.holders_now.tokens is 'How many positions these are: the tokens of a class, else 1.';
comment on column mart.holders_now.quantity is 'Amount held; of tokens their number. Exact.';
comment on column mart.holders_now.held_since is 'Since when, at the earliest snapshot, any of it has been held without a break. Equal to the first snapshot of the target: at least since then.';
comment on column mart.holders_now.rank is 'Place among the rows of the target by quantity, 1 is the largest; equals share a place.';
comment on column mart.holders_now.share is 'quantity as a share of the sum of the snapshot, 0 to 1.';
comment on column mart.holders_now.snapshot_id is 'The snapshot that says so.';
comment on column mart.holders_now.snapshot_at is 'Earliest moment whose state that snapshot is.';
