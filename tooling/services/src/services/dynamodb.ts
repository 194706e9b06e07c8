import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from '../cache.ts';
import type { Service, Site } from '../contract.ts';
import { dynamodbAnswers } from '../probes.ts';
import { run, serverProcess } from '../processes.ts';
import { find, which } from '../programs.ts';

const version = '2.6.0';

// What Maven is told: nothing but to collect this library and all that it needs.
const project = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sched</groupId>
  <artifactId>dynamodb-local</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>com.amazonaws</groupId>
      <artifactId>DynamoDBLocal</artifactId>
      <version>${version}</version>
    </dependency>
  </dependencies>
</project>
`;
const copyDependencies = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';

const dynamodbUrl = (port: number) => `http://127.0.0.1:${port}`;

/** DynamoDB Local; any region and any credentials will do. */
export const dynamodb: Service = {
  name: 'dynamodb',
  title: 'DynamoDB Local 2.6',
  async create(site) {
    const java = await find('java', '17');
    if (java === undefined) throw new Error('no Java 17 or later on this machine');
    const libraries = join(await download(site), 'lib');
    const port = await site.freePort();
    const server = serverProcess({
      command: java.path,
      args: [
        ...[`-Dsqlite4java.library.path=${libraries}`, '-cp', join(libraries, '*')],
        'com.amazonaws.services.dynamodbv2.local.main.ServerRunner',
        ...['-dbPath', site.quickFolder, '-sharedDb', '-disableTelemetry', '-port', String(port)],
      ],
      cwd: site.folder,
      port,
      logFile: join(site.folder, 'dynamodb.log'),
      ready: () => dynamodbAnswers(port),
    });
    return {
      urls: [dynamodbUrl(port)],
      version,
      source: 'collected by Maven',
      ...server,
    };
  },
  compose: {
    ports: ['DYNAMODB_PORT'],
    urls: (ports) => ports.map(dynamodbUrl),
    ready: ([port = 0]) => dynamodbAnswers(port),
  },
};

function download(site: Site): Promise<string> {
  return cached(`dynamodb-local-${version}`, async (folder) => {
    const maven = which('mvn');
    if (maven === undefined) throw new Error('no Maven on this machine that could collect it');
    site.progress('collecting its libraries with Maven');
    writeFileSync(join(folder, 'pom.xml'), project);
    await run(
      maven,
      [
        '--batch-mode',
        '--quiet',
        copyDependencies,
        '-DincludeScope=runtime',
        '-DoutputDirectory=lib',
      ],
      { cwd: folder },
    );
  });
}
