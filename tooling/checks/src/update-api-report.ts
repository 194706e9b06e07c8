import { apiReportProblems } from './api-report.ts';
import { core } from './conventions.ts';
import { publicPackage } from './workspace.ts';

apiReportProblems(publicPackage(core), { update: true });
