"""Each rule of judge.py in each of AWS's protocols: a request that keeps it, and one that does not."""

import base64
import json
import unittest

import judge


def request(service, method="POST", uri="/", body="", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential=test/20261126/us-west-2/{service}/aws4_request, SignedHeaders=host, Signature=0"
    content = body if isinstance(body, bytes) else body.encode()
    return {"method": method, "uri": uri, "headers": headers, "body": base64.b64encode(content).decode()}


def form(service, body):
    return request(service, body=body, Content_Type="application/x-www-form-urlencoded")


def organizations(operation, **members):
    return request("organizations", body=json.dumps(members), Content_Type="application/x-amz-json-1.1", X_Amz_Target=f"AWSOrganizationsV20161128.{operation}")


def eks(**members):
    return request("eks", uri="/clusters", body=json.dumps(members), Content_Type="application/json")


def versioning(status):
    return request("s3", "PUT", "/bucket?versioning=", f'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>{status}</Status></VersioningConfiguration>')


ROLE = "Action=CreateRole&Version=2010-05-08&AssumeRolePolicyDocument=%7B%7D&RoleName="
CLUSTER = {"name": "c", "roleArn": "arn:aws:iam::1:role/r", "resourcesVpcConfig": {}}

CASES = [
    ("an account", organizations("CreateAccount", Email="a@example.com", AccountName="a"), []),
    ("an account without an address", organizations("CreateAccount", AccountName="a"), ["Email required"]),
    ("an account with a name that is too long", organizations("CreateAccount", Email="a@example.com", AccountName="a" * 51), ["AccountName length"]),
    ("an account with an unknown choice", organizations("CreateAccount", Email="a@example.com", AccountName="a", IamUserAccessToBilling="MAYBE"), ["IamUserAccessToBilling enum"]),
    ("an account with a member that AWS lacks", organizations("CreateAccount", Email="a@example.com", AccountName="a", Colour="red"), ["Colour unknown"]),
    ("a role", form("iam", ROLE + "r"), []),
    ("a role with a name that is too long", form("iam", ROLE + "r" * 65), ["RoleName length"]),
    ("a role with a slash in its name", form("iam", ROLE + "a/b"), ["RoleName pattern"]),
    ("a VPC", form("ec2", "Action=CreateVpc&Version=2016-11-15&InstanceTenancy=default"), []),
    ("a VPC with an unknown tenancy", form("ec2", "Action=CreateVpc&Version=2016-11-15&InstanceTenancy=mine"), ["InstanceTenancy enum"]),
    ("a cluster", eks(**CLUSTER), []),
    ("a cluster without a role", eks(name="c", resourcesVpcConfig={}), ["roleArn required"]),
    ("a cluster with a name that AWS refuses", eks(**{**CLUSTER, "name": "-c"}), ["name pattern"]),
    ("a cluster with a member that AWS lacks, below another", eks(**{**CLUSTER, "resourcesVpcConfig": {"subnets": []}}), ["resourcesVpcConfig.subnets unknown"]),
    ("an object that is no text", request("s3", "PUT", "/bucket/key", b"\x80\x86"), []),
    ("a bucket's versioning", versioning("Enabled"), []),
    ("a bucket's versioning with an unknown status", versioning("On"), ["VersioningConfiguration.Status enum"]),
]


class Judge(unittest.TestCase):
    def test_rules(self):
        models = judge.Models()
        for name, asked, want in CASES:
            with self.subTest(name):
                found = [f"{member} {rule}" for _, member, rule, _ in judge.judge(models, asked).found]
                self.assertEqual([each[: len(start)] for each, start in zip(found, want)], want)
                self.assertEqual(len(found), len(want), found)

    def test_unread(self):
        with self.assertRaises(Exception):
            judge.judge(judge.Models(), request("s3", "BREW", "/bucket"))


if __name__ == "__main__":
    unittest.main()
