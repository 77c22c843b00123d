-- Every table, view and function of the warehouse with its columns, in their order, and its comments.
-- A function's columns are those that it returns; they have no comments of their own.
select
    n.nspname as schema,
    c.relname as name,
    case c.relkind when 'v' then 'view' else 'table' end as kind,
    null as arguments,
    obj_description(c.oid, 'pg_class') as comment,
    a.attname as column_name,
    format_type(a.atttypid, a.atttypmod) as column_type,
    case when c.relkind <> 'v' then not a.attnotnull end as nullable,
    col_description(c.oid, a.attnum) as column_comment,
    a.attnum as place
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where
    n.nspname in ('mart', 'public')
    and c.relkind in ('r', 'p', 'v', 'm')
    and c.relname <> 'alembic_version'
union all
select
    n.nspname,
    p.proname,
    'function',
    pg_get_function_arguments(p.oid),
    obj_description(p.oid, 'pg_proc'),
    r.name,
    format_type(r.type, null),
    null,
    null,
    r.place
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
cross join unnest(p.proargnames, p.proallargtypes, p.proargmodes)
    with ordinality r (name, type, mode, place)
where n.nspname in ('mart', 'public') and r.mode = 't'
order by schema, name, place;
