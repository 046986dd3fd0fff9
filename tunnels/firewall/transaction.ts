/** One transaction that makes a table what it is to be, whatever is in it, and keeps its counters. */
import type { Counted, FoundTable } from '../netlink/nftables.ts';
import type { Command, Json, JsonObject, Table } from './json.ts';

const FAMILY = 'inet';

/**
 * The old rules hold until the new ones do: nf_tables commits all commands of a document at once. Counters stay as they are where the
 * table is, and begin with what was counted before where it is made anew.
 *
 * @param counted by name, of the table that was there before
 */
export function loading(table: Table, found: FoundTable | undefined, counted: Counted): Command[] {
  if (found?.asleep === true) return loadingAnew(table, found, counted);
  return [creation(table.name), ...filling(table, found, counted)];
}

/** Of a table that is there. */
export function filling(
  table: Table,
  found: Pick<FoundTable, 'chains' | 'sets'> | undefined,
  counted: Counted,
): Command[] {
  const of = (object: JsonObject): JsonObject => ({ family: FAMILY, table: table.name, ...object });
  const each = (verb: string, kind: string, objects: readonly JsonObject[]): Command[] =>
    objects.map((object) => ({ [verb]: { [kind]: of(object) } }));
  const chains = (found?.chains ?? []).map((name) => ({ name }));
  // Sets without a name of their own go with the rule that holds them.
  const sets = (found?.sets ?? []).filter((name) => !name.startsWith('__')).map((name) => ({ name }));
  return [
    ...each(
      'add',
      'counter',
      table.counters.map((name) => ({ name, packets: Number(counted.get(name) ?? 0n), bytes: 0 })),
    ),
    ...each('flush', 'chain', chains),
    ...each('delete', 'chain', chains),
    ...each('delete', 'set', sets),
    ...each('add', 'set', table.sets.map(setObject)),
    ...each(
      'add',
      'chain',
      table.chains.map(({ name, base }) => ({ name, ...(base && { ...base, policy: 'accept' }) })),
    ),
    ...each(
      'add',
      'rule',
      table.rules.map(({ chain, expr }) => ({ chain, expr })),
    ),
  ];
}

/**
 * For what cannot be changed in place: of a table that was put to sleep no chain can go in the transaction that wakes it, and whatever
 * somebody added may hold ours. What is counted between `counted` and now is forgotten.
 */
export function loadingAnew(table: Table, found: FoundTable | undefined, counted: Counted): Command[] {
  return [...(found === undefined ? [] : [removal(table.name)]), ...loading(table, undefined, counted)];
}

/** Nothing where it is there. */
export function creation(name: string): Command {
  return { add: { table: { family: FAMILY, name } } };
}

export function removal(name: string): Command {
  return { delete: { table: { family: FAMILY, name } } };
}

function setObject({ name, type, elements }: Table['sets'][number]): JsonObject {
  const flags: Json = type === 'inet_service' ? [] : ['interval'];
  return { name, type, flags, ...(elements.length === 0 ? {} : { elem: elements }) };
}
