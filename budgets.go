package main

import (
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/budgets"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/organizations"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/catalog"
	"llm-platform/internal/policy"
	"llm-platform/internal/settings"
)

// newBudgets makes the accounts' monthly budgets, and the kill switch if the stack
// wants one. They are kept in the management account; without an organization, each
// in its own account.
func newBudgets(ctx *pulumi.Context, name string, cfg settings.Settings, org *Organization) error {
	if len(cfg.Budget.MonthlyUSD) == 0 {
		return nil
	}
	var providers []pulumi.ResourceOption
	if org.Management != nil {
		providers = append(providers, pulumi.Providers(org.Management.Provider))
	}
	component := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource("llm:platform:Budgets", name, component, providers...); err != nil {
		return err
	}
	b := &budgetBuilder{ctx: ctx, name: name, cfg: cfg, org: org, parent: pulumi.Parent(component)}
	switch {
	case cfg.Budget.KillSwitch == settings.None:
	case org.Management == nil:
		if err := ctx.Log.Warn("kill switch: there is none, since organization.mode is none; set budget.killSwitch to none to say that this is meant", nil); err != nil {
			return err
		}
	default:
		if err := b.killSwitch(); err != nil {
			return fmt.Errorf("kill switch: %w", err)
		}
	}
	for _, account := range org.Accounts {
		if _, ok := cfg.Budget.MonthlyUSD[account.Name]; !ok {
			continue
		}
		budget, err := b.budget(account)
		if err != nil {
			return fmt.Errorf("account %s: %w", account.Name, err)
		}
		if b.stop != nil {
			if err := b.throw(account, budget); err != nil {
				return fmt.Errorf("account %s: kill switch: %w", account.Name, err)
			}
		}
	}
	return ctx.RegisterResourceOutputs(component, pulumi.Map{})
}

// budgetBuilder is what the steps of newBudgets share.
type budgetBuilder struct {
	ctx    *pulumi.Context
	name   string
	cfg    settings.Settings
	org    *Organization
	parent pulumi.ResourceOption

	stop        *organizations.Policy // the kill switch; nil without one
	role        *iam.Role             // what AWS Budgets acts as to attach it
	permissions *iam.RolePolicy       // of that role
}

// budget makes an account's budget. Credits and refunds are left out of it: what they
// pay for is used all the same, and they end.
func (b *budgetBuilder) budget(account *Account) (*budgets.Budget, error) {
	args := &budgets.BudgetArgs{
		BudgetType:    pulumi.String("COST"),
		TimeUnit:      pulumi.String("MONTHLY"),
		LimitAmount:   pulumi.String(strconv.Itoa(b.cfg.Budget.MonthlyUSD[account.Name])),
		LimitUnit:     pulumi.String("USD"),
		CostTypes:     budgets.BudgetCostTypesArgs{IncludeCredit: pulumi.Bool(false), IncludeRefund: pulumi.Bool(false)},
		Notifications: b.notifications(),
	}
	opts := []pulumi.ResourceOption{b.parent}
	if b.org.Management == nil {
		opts = append(opts, pulumi.Provider(account.Provider))
	} else {
		args.CostFilters = budgets.BudgetCostFilterArray{budgets.BudgetCostFilterArgs{
			Name:   pulumi.String("LinkedAccount"),
			Values: pulumi.StringArray{account.ID},
		}}
	}
	return budgets.NewBudget(b.ctx, b.name+"-"+account.Name, args, opts...)
}

func (b *budgetBuilder) notifications() budgets.BudgetNotificationArray {
	var all budgets.BudgetNotificationArray
	add := func(kind string, percents []int) {
		for _, percent := range percents {
			notification := budgets.BudgetNotificationArgs{
				ComparisonOperator: pulumi.String("GREATER_THAN"),
				NotificationType:   pulumi.String(kind),
				Threshold:          pulumi.Float64(percent),
				ThresholdType:      pulumi.String("PERCENTAGE"),
			}
			if len(b.cfg.Budget.Emails) > 0 {
				notification.SubscriberEmailAddresses = pulumi.ToStringArray(b.cfg.Budget.Emails)
			}
			if topic := b.cfg.Budget.SNSTopicARN; topic != "" {
				notification.SubscriberSnsTopicArns = pulumi.ToStringArray([]string{topic})
			}
			all = append(all, notification)
		}
	}
	add("ACTUAL", b.cfg.Budget.ActualPercents)
	add("FORECASTED", b.cfg.Budget.ForecastPercents)
	return all
}

// killSwitch makes the policy that stops new accelerated instances, attached to
// nothing yet, and the role with which AWS Budgets attaches it.
func (b *budgetBuilder) killSwitch() error {
	content, err := policy.Guardrails{DeployRole: b.cfg.Organization.RoleName, Exempt: b.cfg.Guardrails.ExemptRoles}.KillSwitch().JSON()
	if err != nil {
		return err
	}
	b.stop, err = newControlPolicy(b.ctx, b.name+"-killswitch", "Kill switch of "+b.ctx.Project()+" "+b.cfg.Stack+": no new accelerated instances",
		pulumi.String(content), b.parent, pulumi.DependsOn(b.org.Management.Ready))
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	partition := catalog.Partition(b.cfg.Region)
	trust := b.org.Management.ID.ApplyT(func(id string) (string, error) {
		return policy.BudgetsTrust(partition, id).JSON()
	}).(pulumi.StringOutput)
	b.role, err = iam.NewRole(b.ctx, b.name+"-role", &iam.RoleArgs{
		Description:      pulumi.String("What AWS Budgets acts as to stop new accelerated instances"),
		AssumeRolePolicy: trust,
	}, b.parent)
	if err != nil {
		return fmt.Errorf("role: %w", err)
	}
	ids := pulumi.StringArray{}
	for _, account := range b.org.Accounts {
		if _, ok := b.cfg.Budget.MonthlyUSD[account.Name]; ok {
			ids = append(ids, account.ID)
		}
	}
	document := pulumi.All(b.org.Management.ID, b.stop.Arn, ids.ToStringArrayOutput()).ApplyT(func(args []any) (string, error) {
		return policy.KillSwitchRole(partition, args[0].(string), args[1].(string), args[2].([]string)).JSON()
	}).(pulumi.StringOutput)
	b.permissions, err = iam.NewRolePolicy(b.ctx, b.name+"-role-policy", &iam.RolePolicyArgs{
		Role:   b.role.Name,
		Policy: document,
	}, b.parent)
	if err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	return nil
}

// throw has AWS Budgets attach the kill switch to an account that has spent so much.
func (b *budgetBuilder) throw(account *Account, budget *budgets.Budget) error {
	model := "MANUAL"
	if b.cfg.Budget.KillSwitch == settings.Automatic {
		model = "AUTOMATIC"
	}
	var subscribers budgets.BudgetActionSubscriberArray
	add := func(kind, address string) {
		subscribers = append(subscribers, budgets.BudgetActionSubscriberArgs{
			SubscriptionType: pulumi.String(kind), Address: pulumi.String(address),
		})
	}
	for _, email := range b.cfg.Budget.Emails {
		add("EMAIL", email)
	}
	if topic := b.cfg.Budget.SNSTopicARN; topic != "" {
		add("SNS", topic)
	}
	_, err := budgets.NewBudgetAction(b.ctx, b.name+"-killswitch-"+account.Name, &budgets.BudgetActionArgs{
		BudgetName:       budget.Name,
		ActionType:       pulumi.String("APPLY_SCP_POLICY"),
		ApprovalModel:    pulumi.String(model),
		NotificationType: pulumi.String("ACTUAL"),
		ActionThreshold: budgets.BudgetActionActionThresholdArgs{
			ActionThresholdType:  pulumi.String("PERCENTAGE"),
			ActionThresholdValue: pulumi.Float64(b.cfg.Budget.KillSwitchPercent),
		},
		Definition: budgets.BudgetActionDefinitionArgs{
			ScpActionDefinition: budgets.BudgetActionDefinitionScpActionDefinitionArgs{
				PolicyId:  b.stop.ID(),
				TargetIds: pulumi.StringArray{account.ID},
			},
		},
		ExecutionRoleArn: b.role.Arn,
		Subscribers:      subscribers,
	}, b.parent, pulumi.DependsOn([]pulumi.Resource{b.permissions}))
	return err
}
