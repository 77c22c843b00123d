-- Every version of every row, from the snapshot that first shows it (begins) to the first that does
-- not (ends), both counted from 0. A slot goes from holder to holder, each with five versions; in
-- one of twenty the fifth is left out, and the slot is empty for that time. Who takes over has what
-- the one before him had; his later versions differ in their balance. Every fourth holder of a slot
-- is its first one again.
insert into version
select
    slot,
    address,
    encode(
        substring(
            sha256(int4send(octet_length(address)) || convert_to(address, 'UTF8')) for 16
        ),
        'hex'
    )::uuid,
    1 + 1000000000 / (1 + slot) + (slot * 7 + worth_of * (1 + slot %% 499)) %% 1000,
    case when slot %% 4 = 0 then 'Holder ' || slot end,
    case when slot %% 4 = 0 then 'https://pictures.example/' || md5(slot::text) || '.png' end,
    greatest(phase + (number - place - 1) * period + 1, 0),
    begins,
    phase + number * period + 1,
    place = 0 or number = 0,
    place = case when empties then 3 else 4 end
from generate_series(1, %(slots)s::bigint) slot
cross join lateral (
    select
        case when slot %% 10 = 0 then %(often)s else %(rarely)s end as period,
        slot %% 20 = 0 as empties
) pace
cross join lateral (
    select (slot / 10 * 7919 + slot %% 10 * 61) %% period as phase
) start
cross join lateral generate_series(0, %(snapshots)s / period + 1) number
cross join lateral (
    select
        (number + slot / 10) %% 5 as place,
        (number + slot / 10) / 5 %% 3 as turn,
        greatest(phase + (number - 1) * period + 1, 0) as begins
) life
cross join lateral (
    select
        number - (place = 0 and number > 0 and not empties)::integer as worth_of,
        '0x' || md5(slot || ' ' || turn) || left(md5(slot::text), 8) as address
) holder
where begins < %(snapshots)s and not (empties and place = 4)
