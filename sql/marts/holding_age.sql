create or replace view mart.holding_age as
select
    p.provider,
    p.target_id,
    p.target,
    p.label,
    b.days_from,
    b.days_to,
    count(*) as positions,
    sum(p.quantity) as quantity,
    count(*) / sum(count(*)) over (partition by p.target_id, p.target, p.label, p.provider)
        as share_of_positions,
    count(*) filter (where p.held_since = f.first_at) as at_least
from mart.positions_now p
join (
    select target_id, min(snapshot_at) as first_at
    from snapshot
    group by target_id
) f using (target_id)
join (
    values (0, 1), (1, 7), (7, 30), (30, 90), (90, 180), (180, 365), (365, null)
) b (days_from, days_to)
    on p.snapshot_at - p.held_since >= make_interval(days => b.days_from)
    and (b.days_to is null or p.snapshot_at - p.held_since < make_interval(days => b.days_to))
group by p.provider, p.target_id, p.target, p.label, b.days_from, b.days_to;

comment on view mart.holding_age is 'For how long what is held now has been held without a break, up to the last snapshot. One row for each target and class of age that occurs.';
comment on column mart.holding_age.provider is 'altura, hiro or catenis.';
comment on column mart.holding_age.target_id is 'The target; with days_from the key.';
comment on column mart.holding_age.target is 'Identity of the target: provider:subject?options.';
comment on column mart.holding_age.label is 'Name given to the target by people; may be null.';
comment on column mart.holding_age.days_from is 'Held for at least so many days.';
comment on column mart.holding_age.days_to is 'And for less than so many; null: no limit.';
comment on column mart.holding_age.positions is 'Rows of that age: holders; Hiro: tokens.';
comment on column mart.holding_age.quantity is 'Sum of their quantities.';
comment on column mart.holding_age.share_of_positions is 'Their share of the rows of the target, 0 to 1.';
comment on column mart.holding_age.at_least is 'How many of them were there in the first snapshot of the target: they may be older.';
