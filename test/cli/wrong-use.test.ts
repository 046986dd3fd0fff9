/** Wrong use gets one clear line on stderr, nothing on stdout, and the right exit code. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExitCode } from '../../cli/exit.ts';
import { type FakeAgent, startFakeAgent } from './fake-agent.ts';
import { kubeconfigFor } from './fake-api.ts';
import { status } from './fixtures.ts';
import { sheath } from './run.ts';

describe('wrong use', () => {
  let folder: string;
  let agent: FakeAgent;
  const files = {
    'away.kubeconfig': kubeconfigFor('http://127.0.0.1:1'),
    'broken.kubeconfig': '{contexts: [',
    'unknown.yaml': 'mode: strict\nwireguard:\n  prot: 3\n',
    'broken.yaml': 'mode: [\nscope: pods\n',
    'range.yaml': 'wireguard:\n  keepalive: 5s\n  port: 70000\n',
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sheath-cli-'));
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    agent = await startFakeAgent({ '/status': status(), '/healthz': 'ok' });
    // As a killed agent leaves it: the file is there, nobody listens.
    await writeFile(join(folder, 'agent.sock'), '');
  });
  after(async () => {
    await agent.close();
    await rm(folder, { recursive: true, force: true });
  });

  const cases: readonly { name: string; argv: () => readonly string[]; code: ExitCode; says: RegExp }[] = [
    {
      name: 'an unknown command',
      argv: () => ['stauts'],
      code: 2,
      says: /unknown command 'stauts' \(did you mean status\?\); see 'sheath --help'/,
    },
    {
      name: 'help of an unknown command',
      argv: () => ['help', 'stauts'],
      code: 2,
      says: /unknown command 'stauts'; see 'sheath --help'/,
    },
    {
      name: 'a lab that is not there',
      argv: () => ['lab', 'status', '--name', 'nosuch'],
      code: 2,
      says: /there is no lab "nosuch"/,
    },
    {
      name: 'an unknown flag',
      argv: () => ['status', '--clutser'],
      code: 2,
      says: /unknown option '--clutser' \(did you mean --cluster\?\); see 'sheath status --help'/,
    },
    {
      name: 'an unknown format',
      argv: () => ['peers', '-o', 'xml'],
      code: 2,
      says: /'xml' is invalid\. Allowed choices are table, wide, json, yaml/,
    },
    {
      name: 'a flag without its value',
      argv: () => ['peers', '--run-dir'],
      code: 2,
      says: /'--run-dir <folder>' argument missing/,
    },
    {
      name: 'one argument too many',
      argv: () => ['peers', 'a', 'b'],
      code: 2,
      says: /too many arguments for 'peers'/,
    },
    {
      name: 'no agent and no kubeconfig',
      argv: () => ['status'],
      code: 3,
      says: /no agent's socket in \/run\/sheath, and no kubeconfig; give/,
    },
    {
      name: 'no agent in that folder',
      argv: () => ['status', '--run-dir', '/nonexistent'],
      code: 3,
      says: /no agent on \/nonexistent\/agent\.sock: there is no such socket; start/,
    },
    {
      name: 'an agent that is gone',
      argv: () => ['status', '--run-dir', folder],
      code: 3,
      says: /the agent that made it is gone/,
    },
    {
      name: 'no kubeconfig',
      argv: () => ['status', '--cluster'],
      code: 2,
      says: /no kubeconfig: give --kubeconfig/,
    },
    {
      name: 'a kubeconfig that is not there',
      argv: () => ['peers', '--kubeconfig', '/nonexistent/config'],
      code: 2,
      says: /cannot read \/nonexistent\/config/,
    },
    {
      name: 'a kubeconfig that is no YAML',
      argv: () => ['plan', '--kubeconfig', join(folder, 'broken.kubeconfig')],
      code: 2,
      says: /broken\.kubeconfig: /,
    },
    {
      name: 'a context that is not in it',
      argv: () => ['peers', '--kubeconfig', join(folder, 'away.kubeconfig'), '--context', 'prod'],
      code: 2,
      says: /no context "prod"/,
    },
    {
      name: 'an API server that is away',
      argv: () => ['status', '--kubeconfig', join(folder, 'away.kubeconfig')],
      code: 3,
      says: /ECONNREFUSED/,
    },
    {
      name: 'no such Node',
      argv: () => ['peers', 'n9', '--run-dir', agent.runDir],
      code: 2,
      says: /no such Node: n9; there are n1, n2, n3\n$/,
    },
    {
      name: 'an agent that does not know the question',
      argv: () => ['plan', '--run-dir', agent.runDir],
      code: 1,
      says: /answered \/plan with 404/,
    },
    {
      name: 'an agent without the name of its Node',
      argv: () => ['agent'],
      code: 2,
      says: /which Node is this\? Name it with --node-name or NODE_NAME/,
    },
    {
      name: 'a setting out of range',
      argv: () => ['agent', '--node-name', 'n1', '--mtu', '3'],
      code: 2,
      says: /--mtu: /,
    },
    {
      name: 'an unknown setting in a file',
      argv: () => ['agent', '--node-name', 'n1', '--config', join(folder, 'unknown.yaml')],
      code: 2,
      says: /unknown\.yaml:3: .*prot/,
    },
    {
      name: 'invalid YAML',
      argv: () => ['agent', '--node-name', 'n1', '--config', join(folder, 'broken.yaml')],
      code: 2,
      says: /broken\.yaml:2: /,
    },
    {
      name: 'a value out of range in a file',
      argv: () => ['agent', '--node-name', 'n1', '--config', join(folder, 'range.yaml')],
      code: 2,
      says: /range\.yaml:3: wireguard\.port/,
    },
    {
      name: 'a file that is not there',
      argv: () => ['agent', '--node-name', 'n1', '--config', '/nonexistent.yaml'],
      code: 2,
      says: /\/nonexistent\.yaml/,
    },
    {
      name: 'a cleanup beside an agent',
      argv: () => ['cleanup', '--run-dir', agent.runDir],
      code: 1,
      says: /an agent runs here \(it answers on .*agent\.sock\) and would put everything back; stop it first/,
    },
  ];

  for (const each of cases) {
    it(`${each.name}: ${each.code}`, async () => {
      const { out, err, code } = await sheath(each.argv());
      assert.match(err, each.says);
      assert.match(err, /^sheath: [^\n]+\n$/);
      assert.equal(out, '');
      assert.equal(code, each.code);
    });
  }

  it('a kubeconfig that was typed outdoes SHEATH_RUN_DIR, as its help says', async () => {
    process.env.SHEATH_RUN_DIR = agent.runDir;
    try {
      const { err, code } = await sheath(['status', '--kubeconfig', join(folder, 'away.kubeconfig')]);
      assert.match(err, /ECONNREFUSED/);
      assert.equal(code, 3);
    } finally {
      delete process.env.SHEATH_RUN_DIR;
    }
  });

  it('no command at all: 2, with the help on stderr', async () => {
    const { out, err, code } = await sheath([]);
    assert.match(err, /^Usage: sheath COMMAND/);
    assert.equal(out, '');
    assert.equal(code, 2);
  });
});
