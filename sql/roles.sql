-- Roles of least privilege for a database that is Holdfast's own: an owner who migrates, a writer
-- who takes snapshots, a reader who asks. Idempotent; any client can run it, connected to that
-- database as somebody who may create roles and owns the database, or as a superuser. Run it before
-- the first migration and once after it; what somebody else migrated is handed to the owner.
--
--     psql "$ADMIN_URL" -f sql/roles.sql          without psql: holdfast roles
--
-- The names begin with holdfast_, or with the setting holdfast.role_prefix:
--
--     PGOPTIONS='-c holdfast.role_prefix=acme_' psql "$ADMIN_URL" -f sql/roles.sql
--
-- The roles may log in but have no password, so that nobody can before one is set (\password in
-- psql, or holdfast roles --password). Give people roles of their own that are members of the
-- reader. All of it is about two schemas: mart, and the one that comes first in the search path,
-- public unless told.
do $roles$
declare
    prefix constant text :=
        coalesce(nullif(current_setting('holdfast.role_prefix', true), ''), 'holdfast_');
    owner constant text := prefix || 'owner';
    writer constant text := prefix || 'writer';
    reader constant text := prefix || 'reader';
    home constant text := current_schema();
    database constant text := current_database();
    me constant text := current_user;
    role text;
    owner_id oid;
    migrators oid[];
    joined boolean := false;
    place record;
    found record;
begin
    if home is null then
        raise exception 'there is no schema to put tables in: % finds none in search_path', me;
    end if;

    foreach role in array array[owner, writer, reader] loop
        if not exists (select from pg_roles where rolname = role) then
            begin
                execute format('create role %I login', role);
            exception when duplicate_object or unique_violation then
                null;  -- another session made it meanwhile, from another database of this server
            end;
        end if;
    end loop;
    select oid into owner_id from pg_roles where rolname = owner;

    -- Only a member can hand objects over to the owner, or say what those that it makes will be.
    if not pg_has_role(me, owner_id, 'usage') then
        execute format('grant %I to %I', owner, me);
        joined := true;
    end if;

    -- Everybody may make temporary tables by default, and tables in a public schema from before
    -- Postgres 15; the reader shall not.
    execute format('revoke temporary on database %I from public', database);
    execute format('grant temporary on database %I to %I, %I', database, owner, writer);
    execute format('grant connect on database %I to %I, %I, %I', database, owner, writer, reader);

    -- The owner may not make schemas.
    if to_regnamespace('mart') is null then
        execute format('create schema mart authorization %I', owner);
    end if;

    -- Who migrated before there was an owner, or past him.
    select array_agg(distinct c.relowner) into migrators
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relowner <> owner_id
        and (n.nspname, c.relname) in ((home, 'alembic_version'), ('mart', 'targets'));

    for place in
        select oid as id, nspname as name, nspowner as owned_by, nspname = home as is_home
        from pg_namespace
        where nspname in (home, 'mart')
    loop
        if place.owned_by = any (migrators) and not place.is_home then
            execute format('alter schema %I owner to %I', place.name, owner);
        end if;
        execute format('revoke create on schema %I from public', place.name);
        execute format('grant usage on schema %I to %I, %I', place.name, writer, reader);
        execute format('grant usage, create on schema %I to %I', place.name, owner);

        -- What belongs to an extension stays as it is, and a sequence of a column goes with its
        -- table.
        for found in
            select c.oid::regclass::text as name, 'table' as kind
            from pg_class c
            where c.relnamespace = place.id
                and c.relowner = any (migrators)
                and c.relkind in ('r', 'p', 'v', 'm', 'S')
                and not exists (
                    select from pg_depend d
                    where d.classid = 'pg_class'::regclass
                        and d.objid = c.oid
                        and d.deptype in ('a', 'i', 'e')
                )
            union all
            select p.oid::regprocedure::text, 'routine'
            from pg_proc p
            where p.pronamespace = place.id
                and p.proowner = any (migrators)
                and not exists (
                    select from pg_depend d
                    where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
                )
        loop
            execute format('alter %s %s owner to %I', found.kind, found.name, owner);
        end loop;

        -- What there is: the reader reads; the writer writes tables, but not which version the
        -- schema has.
        for found in
            select
                oid::regclass::text as name,
                place.is_home and relname not in ('alembic_version', 'applied_marts') as written
            from pg_class
            where
                relnamespace = place.id
                and relowner = owner_id
                and relkind in ('r', 'p', 'v', 'm')
        loop
            execute format('revoke all on %s from public, %I, %I', found.name, writer, reader);
            execute format('grant select on %s to %I, %I', found.name, writer, reader);
            if found.written then
                execute format('grant insert, update, delete on %s to %I', found.name, writer);
            end if;
        end loop;
        for found in
            select oid::regclass::text as name
            from pg_class
            where relnamespace = place.id and relowner = owner_id and relkind = 'S'
        loop
            execute format('grant usage, select on sequence %s to %I', found.name, writer);
        end loop;
        for found in
            select oid::regprocedure::text as name
            from pg_proc
            where pronamespace = place.id and proowner = owner_id
        loop
            execute format('grant execute on routine %s to %I, %I', found.name, writer, reader);
        end loop;

        -- What later migrations make can be asked, and in the home written, at once.
        execute format(
            'alter default privileges for role %I in schema %I grant select on tables to %I, %I',
            owner, place.name, writer, reader
        );
        execute format(
            'alter default privileges for role %I in schema %I'
            ' grant execute on routines to %I, %I',
            owner, place.name, writer, reader
        );
        if place.is_home then
            execute format(
                'alter default privileges for role %I in schema %I'
                ' grant insert, update, delete on tables to %I',
                owner, place.name, writer
            );
            execute format(
                'alter default privileges for role %I in schema %I'
                ' grant usage, select on sequences to %I',
                owner, place.name, writer
            );
        end if;
    end loop;

    if joined then
        execute format('revoke %I from %I', owner, me);
    end if;
end
$roles$;
