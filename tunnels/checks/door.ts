/** Whether this machine's nf_tables can hold the door of strict mode: tried, and not done. */
import type { RoutingConfig } from '../../mesh/types.ts';
import { createNft } from '../firewall/nft.ts';
import { tablesOf } from '../firewall/ruleset.ts';
import { replacement } from '../firewall/transaction.ts';
import type { Runner } from '../ports.ts';
import { anyPlan, PREFIXES } from './foreign.ts';

/** @returns what is wrong; undefined: it can. */
export async function doorRefused(
  routing: RoutingConfig,
  programs: { readonly run: Runner; readonly nft: string },
): Promise<string | undefined> {
  const plan = anyPlan(routing);
  const strict = { ...plan, mode: 'strict', clusterPrefixes: PREFIXES, nodePrefixes: PREFIXES } as const;
  // Under names that nothing has: of the tables that are there nothing is asked.
  const tables = tablesOf(strict).map((table) => ({ ...table, name: `${table.name}-trial` }));
  const commands = tables.flatMap((table) => replacement(table, undefined, new Map()));
  return createNft(programs)
    .check(commands)
    .then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
}
