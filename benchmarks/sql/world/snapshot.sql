-- One row each snapshot, its counts and sum taken from the versions that begin and end with it.
insert into snapshot (
    snapshot_id, target_id, previous_id, run_key,
    scheduled_at, started_at, snapshot_at, snapshot_until, finished_at, published_at, next_due_at,
    proof, rows, entered, exited, increased, decreased, reacquired, profile, amount_sum,
    cut_attributes, walks, pages, requests, seconds, page_size
)
overriding system value
with moved as (
    select
        begins as number,
        1 as rows,
        balance as amount,
        enters as entered,
        false as exited,
        balance - lag(balance) over (partition by slot order by begins) as more
    from version
    union all
    select ends, -1, -balance, false, leaves, null
    from version
),
counted as (
    select
        number,
        sum(rows) as rows,
        sum(amount) as amount,
        count(*) filter (where entered) as entered,
        count(*) filter (where exited) as exited,
        count(*) filter (where not entered and more > 0) as increased,
        count(*) filter (where not entered and more < 0) as decreased
    from moved
    group by number
),
standing as (
    select
        number,
        coalesce(sum(rows) over so_far, 0)::bigint as rows,
        coalesce(sum(amount) over so_far, 0) as amount,
        coalesce(entered, 0) as entered,
        coalesce(exited, 0) as exited,
        coalesce(increased, 0) as increased,
        coalesce(decreased, 0) as decreased
    from generate_series(0, %(snapshots)s - 1) number
    left join counted using (number)
    window so_far as (order by number)
)
select
    number + 1, target_id, nullif(number, 0), 'scheduled ' || at,
    at, at, at, at + interval '5 s', at + interval '6 s', at + interval '7 s', at + %(step)s,
    'double_collect', rows, entered, exited, increased, decreased, 0, 0, amount,
    0, 2, 2 + rows / 50, 2 + rows / 50, 5, 100
from standing
cross join target
cross join lateral (select %(first_at)s + number * %(step)s as at) moment
order by number
