-- A version that follows another without a gap carries its held_since; every other begins with its own.
-- Means: a version in between is missing or was altered, so that "held since" and the past are wrong.
-- Do: compare with the provider's snapshots around the time shown, and restore the target's rows from a backup.
with version as (
    select target_id, key_hash, held_since, valid_from, valid_to, {acquisition} as acquisition
    from {history}
    union all
    select target_id, key_hash, held_since, valid_from, null, {acquisition}
    from {current}
),
neighbour as (
    select
        target_id,
        key_hash,
        held_since,
        valid_from,
        lag(valid_to) over earlier as ended,
        case
            when lag(valid_to) over earlier is distinct from valid_from then valid_from
            when lag(acquisition) over earlier <> acquisition then valid_from
            else lag(held_since) over earlier
        end as expected
    from version
    window earlier as (partition by target_id, key_hash order by valid_from)
)
select
    target_id,
    key_hash,
    format(
        'held_since is %s, expected %s: it begins at %s, the version before %s',
        held_since,
        expected,
        valid_from,
        coalesce('ended at ' || ended, 'is missing')
    ) as found
from neighbour
where held_since is distinct from expected
