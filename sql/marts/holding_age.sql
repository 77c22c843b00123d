create or replace view mart.holding_age as
select
    a.provider,
    a.target_id,
    a.target,
    a.label,
    d.days_from,
    d.days_to,
    a.positions,
    a.quantity,
    a.positions / sum(a.positions) over (partition by a.target_id, a.target, a.label, a.provider)
        as share_of_positions,
    a.at_least
from (
    select
        p.provider,
        p.target_id,
        p.target,
        p.label,
        width_bucket(
            p.snapshot_at - p.held_since,
            array[
                interval '0 days',
                interval '1 day',
                interval '7 days',
                interval '30 days',
                interval '90 days',
                interval '180 days',
                interval '365 days'
            ]
        ) as class,
        count(*) as positions,
        sum(p.quantity) as quantity,
        count(*) filter (where p.held_since = f.first_at) as at_least
    from mart.positions_now p
    join (
        select target_id, min(snapshot_at) as first_at
        from snapshot
        group by target_id
    ) f using (target_id)
    group by p.provider, p.target_id, p.target, p.label, class
) a
join (
    values (1, 0, 1), (2, 1, 7), (3, 7, 30), (4, 30, 90), (5, 90, 180), (6, 180, 365), (7, 365, null)
) d (class, days_from, days_to) using (class);

comment on view mart.holding_age is 'For how long what is held now has been held without a break, up to the last snapshot. One row for each target and class of age that occurs.';
comment on column mart.holding_age.provider is {providers};
comment on column mart.holding_age.target_id is 'The target; with days_from the key.';
comment on column mart.holding_age.target is 'Identity of the target: provider:subject?options.';
comment on column mart.holding_age.label is 'Name given to the target by people; may be null.';
comment on column mart.holding_age.days_from is 'Held for at least so many days.';
comment on column mart.holding_age.days_to is 'And for less than so many; null: no limit.';
comment on column mart.holding_age.positions is 'Rows of that age: holders, or tokens where these are what a target consists of.';
comment on column mart.holding_age.quantity is 'Sum of their quantities.';
comment on column mart.holding_age.share_of_positions is 'Their share of the rows of the target, 0 to 1.';
comment on column mart.holding_age.at_least is 'How many of them were there in the first snapshot of the target: they may be older.';
