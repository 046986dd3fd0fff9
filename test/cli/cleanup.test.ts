import assert from 'node:assert/strict';
import { EXIT } from '../../cli/exit.ts';
import { formatCleanup } from '../../cli/format/cleanup.ts';
import { removeAnnotations } from '../../cli/sources/annotations.ts';
import { NOW, view } from './fixtures.ts';

const context = {
  out: process.stdout,
  err: process.stderr,
  env: { HOME: '/nonexistent' },
  now: () => NOW,
  signal: new AbortController().signal,
  exitCode: EXIT.well,
};

describe('formatCleanup', () => {
  it('says what was taken back, what could not be, and what is left to do', () => {
    const text = formatCleanup(
      {
        changes: [
          { part: 'rule', action: 'remove', what: 'priority 95 table 51830' },
          { part: 'device', action: 'remove', what: 'sheath1' },
        ],
        errors: [
          { part: 'sysctl', code: 'SYSCTL_FAILED', message: 'sysctl net.ipv4.conf.eth0.rp_filter: EROFS' },
        ],
        annotations: {
          state: 'left',
          reason: 'connect ECONNREFUSED 127.0.0.1:6443',
          command: 'kubectl annotate node n1 sheath.dev/generations-',
        },
      },
      view,
    );
    assert.equal(
      text,
      `\
Taken back:
  - rule    priority 95 table 51830
  - device  sheath1
  ! sysctl net.ipv4.conf.eth0.rp_filter: EROFS (SYSCTL_FAILED)
The annotations of the Node may still be there: connect ECONNREFUSED
127.0.0.1:6443. Take them off with

  kubectl annotate node n1 sheath.dev/generations-
`,
    );
  });
});

describe('removeAnnotations', () => {
  const none = { node: undefined, kubeconfig: undefined, context: undefined };

  it('names each annotation in the command, where the API server cannot be asked', async () => {
    const outcome = await removeAnnotations({ ...none, node: 'n1' }, context);
    assert.ok(outcome.state === 'left');
    assert.match(outcome.reason, /^no kubeconfig: /);
    assert.equal(
      outcome.command,
      'kubectl annotate node n1 sheath.dev/generations- sheath.dev/endpoints- sheath.dev/prefixes- sheath.dev/sending- sheath.dev/agent-',
    );
  });

  it('asks nobody when it does not know which Node this is', async () => {
    const outcome = await removeAnnotations(none, context);
    assert.ok(outcome.state === 'left');
    assert.match(outcome.reason, /give --node-name$/);
  });
});
