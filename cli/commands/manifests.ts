import { type Command, Option } from 'commander';
import { DEFAULT_OPTIONS, type ManifestOptions } from '../../operator/manifests/options.ts';
import type { Register } from '../command.ts';
import { usageError } from '../exit.ts';
import { VERSION } from '../version.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

const EXAMPLES = `
Examples:
  sheath manifests | kubectl apply -f -
  sheath manifests --image registry.example/sheath:0.1.0 --cronjob '0 3 1 * *'
  sheath manifests --prefixes-source pods --cluster-prefixes 10.0.0.0/16
  sheath manifests --encryption ipsec --ipsec-vici /run/strongswan/charon.vici

Nothing is encrypted by them: 'sheath enable' does that. With --encryption,
--strict, --ipsec-vici, --prefixes-source or ranges, the resource itself is printed too, and what
it says is set anew whenever it is applied. On a cluster that does not know its kind
yet, kubectl takes the rest first: apply it a second time.`;

const HEADER = `# All that a cluster needs of Sheath ${VERSION}, as 'sheath manifests' prints it.
# Nothing is encrypted by it: 'sheath enable' does that.
`;

interface Options {
  readonly output: 'yaml' | 'json';
  readonly namespace: string;
  readonly image: string;
  readonly replicas: string;
  readonly logLevel: string;
  readonly encryption?: ManifestOptions['encryption'];
  readonly strict?: boolean;
  readonly ipsecVici?: string;
  readonly prefixesSource: ManifestOptions['prefixSource'];
  readonly clusterPrefixes?: string;
  readonly nodePrefixes?: string;
  readonly cronjob?: string;
}

export const register: Register = (command, context) => {
  addOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const chosen = await choose(options);
      const { manifests } = await import('../../operator/manifests/all.ts');
      const items = manifests(chosen);
      if (options.output === 'json') {
        const list = { apiVersion: 'v1', kind: 'List', items };
        context.out.write(`${JSON.stringify(list, null, 2)}\n`);
        return;
      }
      const { toDocuments } = await import('../format/manifests.ts');
      context.out.write(`${HEADER}${toDocuments(items)}`);
    });
};

function addOptions(command: Command): Command {
  return command
    .addOption(
      new Option('-o, --output <format>', 'how to print it').choices(['yaml', 'json']).default('yaml'),
    )
    .option('--namespace <name>', 'where agents and controller run', DEFAULT_OPTIONS.namespace)
    .option('--image <image>', 'the image of both', DEFAULT_OPTIONS.image)
    .option('--replicas <number>', 'of the controller', String(DEFAULT_OPTIONS.replicas))
    .addOption(
      new Option('--log-level <level>', 'of both').choices(LOG_LEVELS).default(DEFAULT_OPTIONS.logLevel),
    )
    .addOption(
      new Option('--cronjob <schedule>', "a job that rotates the keys: '0 3 1 * *' is monthly").argParser(
        cronSchedule,
      ),
    )
    .addOption(
      new Option('--encryption <driver>', 'what the resource says').choices(['none', 'wireguard', 'ipsec']),
    )
    .option('--ipsec-vici <path>', "the socket of the hosts' charon, in a folder of its own")
    .option('--strict', 'mode strict in the resource; needs --cluster-prefixes')
    .addOption(
      new Option('--prefixes-source <source>', 'where the prefixes behind a node come from')
        .choices(['podCIDRs', 'pods', 'annotations'])
        .default(DEFAULT_OPTIONS.prefixSource),
    )
    .option('--cluster-prefixes <prefix,...>', 'the ranges that all pods come from')
    .option('--node-prefixes <prefix,...>', "the ranges of all nodes' addresses");
}

async function choose(options: Options): Promise<ManifestOptions> {
  const clusterPrefixes = await prefixes('--cluster-prefixes', options.clusterPrefixes);
  const needs = neededPrefixes(options);
  if (needs !== undefined && clusterPrefixes.length === 0)
    throw usageError(`${needs} needs --cluster-prefixes, the ranges that all pods come from`);
  return {
    namespace: matching('--namespace', options.namespace, LABEL),
    image: matching('--image', options.image, IMAGE),
    replicas: Number(matching('--replicas', options.replicas, REPLICAS)),
    logLevel: options.logLevel,
    prefixSource: options.prefixesSource,
    clusterPrefixes,
    nodePrefixes: await prefixes('--node-prefixes', options.nodePrefixes),
    ...(options.encryption === undefined ? {} : { encryption: options.encryption }),
    ...(options.strict === true ? { mode: 'strict' } : {}),
    ...(options.ipsecVici === undefined ? {} : { vici: hostSocket(options.ipsecVici) }),
    ...(options.cronjob === undefined ? {} : { cronjob: options.cronjob }),
  };
}

/** The option that means nothing without the pods' ranges. */
function neededPrefixes({ strict, prefixesSource }: Options): string | undefined {
  if (prefixesSource === 'pods') return `--prefixes-source ${prefixesSource}`;
  return strict === true ? '--strict' : undefined;
}

async function prefixes(flag: string, text: string | undefined): Promise<readonly string[]> {
  const { parsePrefix } = await import('../../mesh/prefix.ts');
  return (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .map((item) => {
      const prefix = parsePrefix(item);
      if (prefix === undefined)
        throw usageError(
          `${flag} ${item}: expected a prefix like 10.244.0.0/16 or fd00:10:244::/48 with no host bits set`,
        );
      return prefix;
    });
}

interface Form {
  readonly pattern: RegExp;
  readonly expected: string;
}

const LABEL: Form = {
  pattern: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
  expected: 'at most 63 of a-z, 0-9 and -, with a letter or digit at both ends (RFC 1123)',
};
const IMAGE: Form = { pattern: /^\S+$/, expected: 'an image like registry.example/sheath:0.1.0' };
const SOCKET: Form = {
  pattern: /^(?=.{1,107}$)(\/[A-Za-z0-9_.@+-]+)+$/,
  expected: 'the absolute path of a socket, like /run/strongswan/charon.vici',
};
/** What many others have there too would be seen by the agents. */
const SHARED = [
  '',
  '/run',
  '/var/run',
  '/var',
  '/tmp',
  '/var/tmp',
  '/etc',
  '/dev',
  '/proc',
  '/sys',
  '/root',
  '/home',
];

function hostSocket(text: string): string {
  const path = matching('--ipsec-vici', text, SOCKET);
  const folder = path.slice(0, path.lastIndexOf('/'));
  if (!SHARED.includes(folder) && !path.split('/').some((name) => name === '..' || name === '.')) return path;
  throw usageError(
    `--ipsec-vici ${path}: agents would see all of ${folder === '' ? '/' : folder}; give the hosts' charon a socket in a folder of its own (charon.plugins.vici.socket in strongswan.conf)`,
  );
}

const REPLICAS: Form = { pattern: /^[1-9]\d?$/, expected: 'a number from 1 to 99' };

function matching(flag: string, text: string, { pattern, expected }: Form): string {
  if (!pattern.test(text)) throw usageError(`${flag} ${JSON.stringify(text)}: expected ${expected}`);
  return text;
}

/** Its form only: the API server knows the rest. */
function cronSchedule(text: string): string {
  if (/^(@[a-z]+|\S+( \S+){4})$/.test(text)) return text;
  throw usageError(`--cronjob ${JSON.stringify(text)}: expected a schedule like '0 3 1 * *' or @monthly`);
}
