/**
 * Another's firewall before our ports, as far as it can be seen: a chain of what comes in that drops what nobody let pass, in rules of
 * which none names the port. It may still pass (a rule for all of a network), so this is a hint and no verdict.
 */
import { DEVICE_NAMES } from '../devices/devices.ts';
import type { Runner } from '../ports.ts';

interface Programs {
  readonly run: Runner;
  readonly nft: string;
}

/** Of the ports of both slots. @param port of slot 0 */
export async function firewallsBefore(port: number, programs: Programs): Promise<readonly string[]> {
  const dropped = new Map<string, number[]>();
  for (const [slot] of DEVICE_NAMES.entries()) {
    for (const chain of await droppedBefore(port + slot, programs))
      dropped.set(chain, [...(dropped.get(chain) ?? []), port + slot]);
  }
  return [...dropped].map(
    ([chain, ports]) =>
      `firewall: ${chain} drops what nobody lets pass, and no rule of it names UDP port ${ports.join(' or ')}; let these in from the other nodes`,
  );
}

/** @returns what drops, in words: `iptables INPUT`. Empty where nothing is seen, or the programs are not there. */
async function droppedBefore(port: number, programs: Programs): Promise<readonly string[]> {
  const found = [
    await iptablesDrops('iptables', port, programs),
    await iptablesDrops('ip6tables', port, programs),
    ...(await nftDrops(port, programs)),
  ];
  return found.filter((one) => one !== undefined);
}

async function iptablesDrops(program: string, port: number, { run }: Programs): Promise<string | undefined> {
  const rules = await run(program, ['-S']).catch(() => '');
  if (!/^-P INPUT (DROP|REJECT)$/m.test(rules)) return undefined;
  return namesPort(rules, port) ? undefined : `${program} INPUT`;
}

async function nftDrops(port: number, { run, nft }: Programs): Promise<string[]> {
  const text = await run(nft, ['-j', 'list', 'chains']).catch(() => '{"nftables":[]}');
  const found: string[] = [];
  for (const { family, table, name } of inputChains(text)) {
    // What iptables made of it is asked of iptables: nft cannot read it.
    if (name === 'INPUT' && table === 'filter') continue;
    const rules = await run(nft, ['-n', 'list', 'table', family, table]).catch(() => '');
    if (!namesPort(rules, port)) found.push(`nft ${family} ${table} ${name}`);
  }
  return found;
}

interface InputChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
}

function inputChains(text: string): InputChain[] {
  const { nftables } = JSON.parse(text) as { nftables: { chain?: InputChain & Record<string, unknown> }[] };
  return nftables.flatMap(({ chain }) =>
    chain !== undefined && chain.hook === 'input' && chain.policy === 'drop' ? [chain] : [],
  );
}

const namesPort = (rules: string, port: number): boolean =>
  new RegExp(`\\b${port}\\b`).test(rules) || inRange(rules, port);

/** `51000-52000`, `51000:52000` */
function inRange(rules: string, port: number): boolean {
  return [...rules.matchAll(/\b(\d{1,5})[-:](\d{1,5})\b/g)].some(
    ([, from, to]) => Number(from) <= port && port <= Number(to),
  );
}
