/** What stands for a secret. */
const mask = '***';

/** The name and the password of any URL: up to the last @ before a space, for passwords that are not encoded. */
const credentials = /([a-z][a-z\d+.-]*:\/\/)([^\s/@:]*):([^\s]*)@/gi;

/** Parameters of URLs that hold secrets. */
const secretParameter = /([?&;][^=&\s]*(?:pass|pwd|secret|token|key)[^=&\s]*=)([^&\s#]+)/gi;

/**
 * Gives a function that takes passwords out of a text: those of URLs that are in it, and those of the URLs that are
 * given, wherever they stand.
 *
 * @param sources texts that may be URLs with passwords: arguments, and what is in the environment
 */
export function redactor(sources: readonly string[]): (text: string) => string {
  const secrets = [...new Set(sources.flatMap(secretsIn))].sort((a, b) => b.length - a.length);
  const alone = secrets.map(
    // Not as part of a longer word: a password may be a short one.
    (secret) => new RegExp(`(?<![\\p{L}\\p{N}])${escaped(secret)}(?![\\p{L}\\p{N}])`, 'gu'),
  );
  return (text) =>
    alone
      .reduce((rest, secret) => rest.replace(secret, mask), text)
      .replace(credentials, `$1$2:${mask}@`)
      .replace(secretParameter, `$1${mask}`);
}

/** Each secret of a URL as it stands there, and as a driver reads it. */
function secretsIn(source: string): string[] {
  const passwords = [...source.matchAll(credentials)].map(([, , , password = '']) => password);
  const parameters = [...source.matchAll(secretParameter)].map(([, , value = '']) => value);
  return [...passwords, ...parameters].flatMap((text) => [text, decoded(text)]).filter(Boolean);
}

function escaped(text: string): string {
  return text.replace(/[\^$\\.*+?()[\]{}|/]/g, '\\$&');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
