/** Why this machine cannot take part with IPsec, each with the way out, found without changing it. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IpsecConfig } from '../../mesh/config.ts';
import { codeOf } from '../failure.ts';
import { CHARON } from './charon.ts';
import { askCharon, type CharonFacts, tryCharon } from './charon-facts.ts';
import { IpsecError } from './errors.ts';
import { type EspGaps, espGaps } from './esp-trials.ts';
import { type Word, wordsOf } from './proposals.ts';
import { hasXfrmInterfaces } from './xfrm/interface-trial.ts';

/** Milliseconds. */
const STARTING = 1_000;

export interface IpsecPreflight {
  readonly config: IpsecConfig;
  /** Of our own charon. */
  readonly folder?: string;
  readonly program?: string;
  /** Default: asks the kernel. */
  readonly gaps?: typeof espGaps;
  readonly interfaces?: typeof hasXfrmInterfaces;
  readonly takenPorts: () => Promise<ReadonlySet<number>>;
}

/** Without the prefix `ipsec: `. */
export async function ipsecFindings(options: IpsecPreflight): Promise<readonly string[]> {
  const kernel = await kernelFindings(options);
  return [...kernel, ...(await charonFindings(options))];
}

const NO_ESP = 'the kernel has no ESP';

async function kernelFindings({
  config,
  gaps = espGaps,
  interfaces = hasXfrmInterfaces,
}: IpsecPreflight): Promise<string[]> {
  const families = (await hasIpv6()) ? ([4, 6] as const) : ([4] as const);
  const found = await gaps(config.espProposals, families).catch((error: unknown) => codeOf(error));
  if (found === undefined || typeof found === 'string') {
    // What the kernel does not say is not held against it.
    return found === 'EPROTONOSUPPORT' ? [`${NO_ESP}; load the modules xfrm_user, esp4 and esp6`] : [];
  }
  return [...espFindings(found), ...(await interfaceFindings(interfaces))];
}

function espFindings({ families, words }: EspGaps): string[] {
  const without = families.map((family) => `IPv${family} (module esp${family})`).join(' and ');
  const algorithms = words.join(', ');
  return [
    ...(families.length === 0 ? [] : [`${NO_ESP} over ${without}; load it, or use WireGuard`]),
    ...(words.length === 0
      ? []
      : [`the kernel lacks ${algorithms}; load the module, or choose others with --ipsec-esp-proposals`]),
  ];
}

async function interfaceFindings(has: typeof hasXfrmInterfaces): Promise<string[]> {
  return (await has())
    ? []
    : ['the kernel has no XFRM interfaces; load the module xfrm_interface, or use WireGuard'];
}

const hasIpv6 = () =>
  access('/proc/net/if_inet6').then(
    () => true,
    () => false,
  );

async function charonFindings(options: IpsecPreflight): Promise<string[]> {
  const { config } = options;
  const facts = config.vici === undefined ? await ourCharon(options) : await hostCharon(config.vici);
  return 'findings' in facts ? [...facts.findings] : unknownTo(facts, config);
}

type Answer = CharonFacts | { readonly findings: readonly string[] };

async function hostCharon(vici: string): Promise<Answer> {
  return askCharon(vici).catch((error: unknown) => ({
    findings: [
      `no charon answers on ${vici} (${codeOf(error) ?? String(error)}); start it, or leave out --ipsec-vici for one of our own`,
    ],
  }));
}

async function ourCharon({
  folder = CHARON.folder,
  program = CHARON.program,
  takenPorts,
}: IpsecPreflight): Promise<Answer> {
  const running = () => askCharon(join(folder, CHARON.socket)).catch(() => undefined);
  const before = await running();
  if (before !== undefined) return before;
  try {
    const facts = await tryCharon(program);
    const findings = await portFindings(takenPorts);
    if (findings.length === 0) return facts;
    // One of ours that is just starting has its ports before it answers.
    await sleep(STARTING);
    return (await running()) ?? { findings };
  } catch (error) {
    return { findings: [messageOf(error)] };
  }
}

async function portFindings(takenPorts: () => Promise<ReadonlySet<number>>): Promise<string[]> {
  const taken = await takenPorts();
  const ours = [CHARON.ports.ike, CHARON.ports.natt].filter((port) => taken.has(port));
  if (ours.length === 0) return [];
  return [
    `UDP port ${ours.join(' and ')} is taken by another program; stop it, or name its socket with --ipsec-vici if it is a charon`,
  ];
}

/** The kernel does ESP's ciphers; all else is charon's. */
function unknownTo({ version, algorithms }: CharonFacts, config: IpsecConfig): string[] {
  const words = [
    ...config.ikeProposals.flatMap(wordsOf),
    ...config.espProposals
      .flatMap(wordsOf)
      .filter(({ keyword }) => keyword.kind === 'group' || keyword.kind === 'additional'),
  ];
  const unknown = words.filter(({ keyword }) => keyword.kind !== 'esn' && !algorithms.has(keyword.algorithm));
  const [postQuantum, others] = [unknown.filter(isAdditional), unknown.filter((word) => !isAdditional(word))];
  return [
    ...(postQuantum.length === 0
      ? []
      : [
          `charon ${version} does not know ${namesOf(postQuantum)}; install strongSwan 6 with ML-KEM (its plugin ml, or OpenSSL 3.5), or choose another profile with --ipsec-profile`,
        ]),
    ...(others.length === 0
      ? []
      : [`charon ${version} does not know ${namesOf(others)}; choose others with --ipsec-ike-proposals`]),
  ];
}

const isAdditional = ({ keyword }: Word): boolean => keyword.kind === 'additional';
const namesOf = (words: readonly Word[]): string => [...new Set(words.map(({ word }) => word))].join(', ');

function messageOf(error: unknown): string {
  return error instanceof IpsecError || error instanceof Error ? error.message : String(error);
}
