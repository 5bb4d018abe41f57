"""The harbor functions in use: looking up a project, its robots, its groups."""

from __future__ import annotations

from typing import Final

from lab.plugins.bridge import Function
from lab.plugins.harbor.client import Harbor, in_project
from lab.plugins.harbor.projects import role_name
from lab.plugins.harbor.robots import prefix
from lab.plugins.schema import function
from lab.plugins.wire import Properties


def _get_project(args: Properties, harbor: Harbor) -> Properties:
    name = args["name"]
    for project in harbor.get(f"/projects?name={name}") or []:
        if project["name"] == name:
            metadata = project.get("metadata") or {}
            return {
                "id": f"/projects/{project['project_id']}",
                "projectId": project["project_id"],
                "name": name,
                "public": metadata.get("public") == "true",
                "vulnerabilityScanning": metadata.get("auto_scan") == "true",
                "type": "Project" if project.get("registry_id") is None else "ProxyCache",
            }
    return {}  # upstream finds nothing, and says nothing


def _get_robot_accounts(args: Properties, harbor: Harbor) -> Properties:
    name, level, project = args.get("name") or "", args.get("level") or "", args.get("projectId") or 0
    query = [f"Level={level}"] if level else []
    query += [f"ProjectID={project}"] if project else []
    robots = harbor.pages("/robots" + (f"?q={','.join(query)}" if query else ""))

    def wanted(full_name: str) -> bool:
        if not name:
            return True
        short = full_name.split("+")[1] if level == "project" else full_name.removeprefix(prefix(harbor))
        return bool(short == name)

    found = [
        {
            "id": f"/robots/{robot['id']}",
            "name": robot["name"],
            "description": robot.get("description") or "",
            "level": robot["level"],
            "duration": robot.get("duration") or 0,
            "disable": bool(robot.get("disable")),
        }
        for robot in robots
        if wanted(robot["name"])
    ]
    result = {"id": "harbor-robot-accounts", "name": name, "level": level, "robotAccounts": found}
    return {**result, **({"projectId": project} if project else {})}


def _get_project_member_groups(args: Properties, harbor: Harbor) -> Properties:
    path = f"{in_project(args['projectId'])}/members"
    groups = [
        {
            "id": f"{path}/{member['id']}",
            "projectId": in_project(str(member["project_id"])),
            "groupName": member["entity_name"],
            "role": role_name(member["role_id"]),
        }
        for member in harbor.pages(path)
        if member["entity_type"] == "g"
    ]
    return {"id": "harbor-project-member-groups", "projectId": args["projectId"], "projectMemberGroups": groups}


FUNCTIONS: Final = {
    shape.token: Function(shape, call)
    for shape, call in (
        (function("harbor:index/getProject:getProject"), _get_project),
        (function("harbor:index/getRobotAccounts:getRobotAccounts"), _get_robot_accounts),
        (function("harbor:index/getProjectMemberGroups:getProjectMemberGroups"), _get_project_member_groups),
    )
}
