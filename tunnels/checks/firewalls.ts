/**
 * Another's firewall before our tunnels, as far as it can be seen: a chain of what comes in that drops what nobody let pass, in rules of
 * which none names what they need. It may still pass (a rule for all of a network), so this is a hint and no verdict.
 */
import { DEVICE_NAMES } from '../devices/devices.ts';
import { CHARON } from '../ipsec/charon.ts';
import type { Runner } from '../ports.ts';

interface Programs {
  readonly run: Runner;
  readonly nft: string;
}

/** What has to come in: as it is called, and whether rules as these programs print them name it. */
export interface Incoming {
  readonly name: string;
  readonly namedIn: (rules: string) => boolean;
}

const udp = (port: number): Incoming => ({
  name: `UDP port ${port}`,
  namedIn: (rules) => new RegExp(`\\b${port}\\b`).test(rules) || inRange(rules, port),
});

/** IKE, IKE and ESP behind NAT, and ESP, the protocol 50 (RFC 4303). */
export const IPSEC_INCOMING: readonly Incoming[] = [
  udp(CHARON.ports.ike),
  udp(CHARON.ports.natt),
  { name: 'ESP (protocol 50)', namedIn: (rules) => /\besp\b|(-p|protocol|l4proto|nexthdr) 50\b/.test(rules) },
];

/** Of the ports of both slots. @param port of slot 0 */
export const wireguardIncoming = (port: number): readonly Incoming[] =>
  DEVICE_NAMES.map((_, slot) => udp(port + slot));

/** Each chain that drops, with all that no rule of it names. Empty where nothing is seen, or the programs are not there. */
export async function firewallsBefore(
  incoming: readonly Incoming[],
  programs: Programs,
): Promise<readonly string[]> {
  const chains = [
    ...(await iptablesDrops('iptables', programs)),
    ...(await iptablesDrops('ip6tables', programs)),
    ...(await nftDrops(programs)),
  ];
  return chains.flatMap(({ name, rules }) => {
    const dropped = incoming.filter(({ namedIn }) => !namedIn(rules)).map((one) => one.name);
    if (dropped.length === 0) return [];
    return [
      `firewall: ${name} drops what nobody lets pass, and no rule of it names ${dropped.join(' or ')}; let it in from the other nodes`,
    ];
  });
}

/** A chain that drops what nobody lets pass: `iptables INPUT`, and the rules around it. */
interface Dropping {
  readonly name: string;
  readonly rules: string;
}

async function iptablesDrops(program: string, { run }: Programs): Promise<Dropping[]> {
  const rules = await run(program, ['-S']).catch(() => '');
  return /^-P INPUT (DROP|REJECT)$/m.test(rules) ? [{ name: `${program} INPUT`, rules }] : [];
}

async function nftDrops({ run, nft }: Programs): Promise<Dropping[]> {
  const text = await run(nft, ['-j', 'list', 'chains']).catch(() => '{"nftables":[]}');
  const found: Dropping[] = [];
  for (const { family, table, name } of inputChains(text)) {
    // What iptables made of it is asked of iptables: nft cannot read it.
    if (name === 'INPUT' && table === 'filter') continue;
    const rules = await run(nft, ['-n', 'list', 'table', family, table]).catch(() => '');
    found.push({ name: `nft ${family} ${table} ${name}`, rules });
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

/** `51000-52000`, `51000:52000` */
function inRange(rules: string, port: number): boolean {
  return [...rules.matchAll(/\b(\d{1,5})[-:](\d{1,5})\b/g)].some(
    ([, from, to]) => Number(from) <= port && port <= Number(to),
  );
}
