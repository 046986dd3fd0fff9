/** A pod's own identity: the token that the kubelet mounts, and renews in place. */
import { readFile } from 'node:fs/promises';
import { OperatorError } from '../errors.ts';
import type { Access } from './access.ts';
import { fileToken } from './tokens.ts';

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Undefined where the environment names no API server. @throws OperatorError `KUBECONFIG_INVALID` */
export async function serviceAccountAccess(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Access | undefined> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (host === undefined || port === undefined) return undefined;
  const bracketed = host.includes(':') ? `[${host}]` : host;
  try {
    return {
      server: new URL(`https://${bracketed}:${port}`),
      tls: { ca: await readFile(`${FOLDER}/ca.crt`) },
      origin: "the pod's service account",
      authorization: fileToken(`${FOLDER}/token`),
    };
  } catch (cause) {
    throw new OperatorError('KUBECONFIG_INVALID', `cannot read the pod's service account in ${FOLDER}`, {
      cause,
    });
  }
}
