-- The primary keys (p), unique keys (u) and foreign keys (f) of the warehouse's tables; the columns
-- in the order of the key.
select
    n.nspname as schema,
    c.relname as name,
    k.contype as kind,
    array(
        select a.attname::text
        from unnest(k.conkey) with ordinality u (number, place)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number
        order by u.place
    ) as columns,
    f.relname as refers_to
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
left join pg_class f on f.oid = k.confrelid
where
    n.nspname in ('mart', 'public')
    and k.contype in ('p', 'u', 'f')
    and c.relname <> 'alembic_version'
order by schema, name, array_position(array['p', 'u', 'f'], k.contype::text), columns;
