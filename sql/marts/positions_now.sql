create or replace view mart.positions_now as
select
    t.provider,
    t.target_id,
    t.target,
    t.label,
    coalesce(r.holder, w.holder) as holder,
    coalesce(r.asset, w.asset) as asset,
    coalesce(r.token, w.token) as token,
    r.quantity,
    r.held_since,
    r.unchanged_since,
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
        h.token,
        h.quantity,
        h.held_since,
        h.valid_from as unchanged_since,
        rank() over (order by h.quantity desc) as rank
    from holding_rows_current h
    where h.provider = t.provider and h.target_id = t.target_id
) r
where t.retired_at is null;

comment on view mart.positions_now is 'Who holds which token or amount now. One row for each target, holder, asset and token.';
comment on column mart.positions_now.provider is {providers};
comment on column mart.positions_now.target_id is 'The target that it was seen in. The same holding can be seen in two targets with different options.';
comment on column mart.positions_now.target is 'Identity of the target: provider:subject?options.';
comment on column mart.positions_now.label is 'Name given to the target by people; may be null.';
comment on column mart.positions_now.holder is {holders};
comment on column mart.positions_now.asset is {assets};
comment on column mart.positions_now.token is {tokens};
comment on column mart.positions_now.quantity is 'Amount held; 1 for a non-fungible token. Exact.';
comment on column mart.positions_now.held_since is 'snapshot_at of the first snapshot since which it has been held without a break. Equal to the first snapshot of the target: at least since then.';
comment on column mart.positions_now.unchanged_since is 'snapshot_at of the first snapshot that showed the row just so.';
comment on column mart.positions_now.rank is 'Place among the rows of the target by quantity, 1 is the largest; equals share a place.';
comment on column mart.positions_now.share is 'quantity as a share of the sum of the snapshot, 0 to 1.';
comment on column mart.positions_now.snapshot_id is 'The snapshot that says so.';
comment on column mart.positions_now.snapshot_at is 'Earliest moment whose state that snapshot is.';
